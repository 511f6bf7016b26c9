/** How the version of a guard's software stands to the one that belongs to this installation. */
export type VersionStanding = 'current' | 'older' | 'newer' | 'unknown';

/** `unknown` for what is not `major.minor.patch`: nobody can say what such a guard does. */
export function versionStanding(version: string, current: string): VersionStanding {
  const [own, ours] = [parse(version), parse(current)];
  if (!own || !ours) return 'unknown';
  for (let part = 0; part < 3; part += 1) {
    const difference = (own[part] ?? 0) - (ours[part] ?? 0);
    if (difference !== 0) return difference < 0 ? 'older' : 'newer';
  }
  return 'current';
}

function parse(version: string): number[] | null {
  const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(version);
  return match ? match.slice(1).map(Number) : null;
}
