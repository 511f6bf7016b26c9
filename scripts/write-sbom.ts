import { readFileSync } from 'node:fs';
import path from 'node:path';
import manifest from '../package.json' with { type: 'json' };

const lockFile = path.join(path.dirname(import.meta.dirname), 'package-lock.json');

type Locked = {
  name?: string;
  version?: string;
  license?: string;
  integrity?: string;
  dev?: boolean;
  link?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};

/**
 * What the product consists of when it runs, as CycloneDX 1.5: every package of the lock that is not for development
 * alone, with the digest npm checks, and what needs what. Made here, because `npm sbom` lists one version of a package
 * that is there twice. The same lock gives the same bytes.
 */
export function writeSbom(): Record<string, unknown> {
  const packages = (JSON.parse(readFileSync(lockFile, 'utf8')) as { packages: Record<string, Locked> })
    .packages;
  const shipped = Object.entries(packages).filter(
    ([at, locked]) => at.includes('node_modules/') && !locked.dev && !locked.link && locked.version,
  );
  const refOf = new Map(shipped.map(([at, locked]) => [at, purlOf(nameOf(at, locked), locked)]));
  const root = `pkg:npm/${manifest.name}@${manifest.version}`;
  const needs = (at: string, locked: Locked) =>
    [
      ...new Set(
        Object.keys({ ...locked.dependencies, ...locked.optionalDependencies }).flatMap((name) => {
          const found = refOf.get(resolve(packages, at, name) ?? '');
          return found ? [found] : [];
        }),
      ),
    ].sort();
  const components = new Map(
    shipped.map(([at, locked]) => [refOf.get(at) as string, componentOf(nameOf(at, locked), locked)]),
  );
  const dependencies = new Map(
    shipped.map(([at, locked]) => [
      refOf.get(at) as string,
      { ref: refOf.get(at), dependsOn: needs(at, locked) },
    ]),
  );
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        'bom-ref': root,
        type: 'application',
        name: manifest.name,
        version: manifest.version,
        licenses: [{ license: { id: manifest.license } }],
      },
    },
    components: [...components].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, component]) => component),
    dependencies: [
      { ref: root, dependsOn: needs('', packages[''] as Locked) },
      ...[...dependencies].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each),
    ],
  };
}

function componentOf(name: string, locked: Locked) {
  const purl = purlOf(name, locked);
  const [algorithm, digest] = locked.integrity?.split(/-(.*)/s) ?? [];
  return {
    'bom-ref': purl,
    type: 'library',
    name,
    version: locked.version,
    purl,
    ...(algorithm === 'sha512' && digest
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] }
      : {}),
    ...(locked.license ? { licenses: [{ expression: locked.license }] } : {}),
  };
}

function nameOf(at: string, locked: Locked): string {
  return locked.name ?? at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** A package URL (purl-spec): the scope's @ is written %40. */
function purlOf(name: string, { version }: Locked): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** Where Node finds a package from another: beside it, or in the nearest folder above. */
function resolve(packages: Record<string, Locked>, from: string, name: string): string | null {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const found = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages[found]) return found;
    if (at === '') return null;
  }
}

if (import.meta.main) console.log(JSON.stringify(writeSbom(), null, 2));
