// Records what the npm module `ignore` that Nx uses answers for the cases of ignores.json.
//
// To re-record, with a directory that has nx 24 and its `ignore` in node_modules:
//   NX_AT=<that directory> node record_ignores.mjs
// It rewrites `ignored` of every case.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.env.NX_AT, 'node_modules', 'nx', 'package.json'));
const ignore = require('ignore');

const fixture = new URL('ignores.json', import.meta.url);
const cases = JSON.parse(readFileSync(fixture, 'utf8'));
for (const c of cases) {
  const rules = ignore().add(c.gitignore).add(c.nxignore);
  c.ignored = c.paths.filter((path) => rules.ignores(path));
}
writeFileSync(fixture, `[\n${cases.map((c) => `  ${JSON.stringify(c)}`).join(',\n')}\n]\n`);
