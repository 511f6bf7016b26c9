// Loaded before every program of this project: `node --import ./scripts/prepare.mjs server.ts`. npm puts the Node 24 of
// its node-<platform> package first on the PATH of scripts; where there is none for the platform, the machine's own must
// do. Plain JavaScript, so that an older Node can read it and say what is missing.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `Countersign runs on Node 24 or newer; this is Node ${process.versions.node} on ${process.platform} ${process.arch}.\n` +
      'npm installs a fitting one on Linux, Windows and Intel Macs: run "npm ci" without --omit=optional, and start through npm.\n' +
      'Elsewhere install Node 24 from https://nodejs.org.',
  );
  process.exit(1);
}

// The database client is generated from the schema; everything imports it.
const { generateClientIfStale } = await import('../prisma/generate.ts');
await generateClientIfStale();
