/**
 * Makes the package that can be published: JavaScript and type declarations,
 * because Node takes no TypeScript under node_modules.
 *
 *   node guard/build.mjs <empty folder> && npm pack <folder>
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';

const source = import.meta.dirname;
const target = process.argv[2];
if (!target) {
  console.error('usage: node guard/build.mjs <empty folder>');
  process.exit(2);
}
mkdirSync(target, { recursive: true });
if (readdirSync(target).length > 0) {
  console.error(`${target} is not empty`);
  process.exit(2);
}

const sources = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith(`testing${path.sep}`),
);
for (const file of sources) {
  const script = stripTypeScriptTypes(readFileSync(path.join(source, file), 'utf8'));
  const out = path.join(target, file.replace(/\.ts$/, '.js'));
  mkdirSync(path.dirname(out), { recursive: true });
  writeFileSync(out, withJsImports(script));
}
declareTypes();

const manifest = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8'));
manifest.bin = Object.fromEntries(Object.entries(manifest.bin).map(([name, file]) => [name, asJs(file)]));
manifest.exports = Object.fromEntries(
  Object.entries(manifest.exports).map(([name, file]) => [
    name,
    { types: file.replace(/\.ts$/, '.d.ts'), default: asJs(file) },
  ]),
);
writeFileSync(path.join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(path.join(source, '..', 'LICENSE'), path.join(target, 'LICENSE'));
copyFileSync(path.join(source, 'README.md'), path.join(target, 'README.md'));

function declareTypes() {
  const tsc = path.join(source, '..', 'node_modules', '.bin', 'tsc');
  const options = [
    ...[
      '--ignoreConfig',
      '--declaration',
      '--emitDeclarationOnly',
      '--rewriteRelativeImportExtensions',
      '--skipLibCheck',
    ],
    ...['--target', 'es2024', '--module', 'nodenext', '--types', 'node', '--strict', '--erasableSyntaxOnly'],
    ...['--rootDir', source, '--outDir', target],
  ];
  execFileSync(tsc, [...options, ...sources.map((file) => path.join(source, file))], { stdio: 'inherit' });
  for (const file of sources) {
    const declaration = path.join(target, file.replace(/\.ts$/, '.d.ts'));
    writeFileSync(declaration, withJsImports(readFileSync(declaration, 'utf8')));
  }
}

/** Relative imports only; what is in quotes elsewhere does not end in `.ts`. */
function withJsImports(script) {
  return script.replace(/(from\s+|import\(\s*)'(\.{1,2}\/[^']+)\.ts'/g, "$1'$2.js'");
}

function asJs(file) {
  return file.replace(/\.ts$/, '.js');
}
