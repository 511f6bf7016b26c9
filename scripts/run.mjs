// Runs one TypeScript program of this project: `node scripts/run.mjs server.ts --demo`. npm puts the Node 24 of its
// node-<platform> package first on the PATH of scripts; where there is none for the platform, the machine's own must do.
// Plain JavaScript, so that an older Node can read it and say what is missing.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(
    `Countersign runs on Node 24 or newer; this is Node ${process.versions.node} on ${process.platform} ${process.arch}.\n` +
      'npm installs a fitting one on Linux, Windows and Intel Macs: run "npm ci" without --omit=optional and start through npm.\n' +
      'Elsewhere install Node 24 from https://nodejs.org.',
  );
  process.exit(1);
}
const [program, ...rest] = process.argv.slice(2);
process.argv.splice(1, process.argv.length - 1, new URL(`../${program}`, import.meta.url).pathname, ...rest);
void minor;

const { generateClientIfStale } = await import('../prisma/generate.ts');
await generateClientIfStale();
await import(`../${program}`);
