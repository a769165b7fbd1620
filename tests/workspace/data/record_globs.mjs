// Records what minimatch and the native module of Nx answer for the cases of globs.json.
//
// To re-record, with a directory that has nx 24 and its minimatch in node_modules:
//   NX_AT=<that directory> NX_DAEMON=false node record_globs.mjs
// It rewrites `matched` of every case (null: refused). To add a case, add it with its
// patterns and texts and record again.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const at = join(process.env.NX_AT, 'node_modules');
const require = createRequire(join(at, 'nx', 'package.json'));
const native = require(join(at, 'nx/dist/src/native/index.js'));
const { minimatch } = require('minimatch');

const fixture = new URL('globs.json', import.meta.url);
const cases = JSON.parse(readFileSync(fixture, 'utf8'));

function attempt(answer) {
  try {
    return answer();
  } catch {
    return null;
  }
}

for (const c of cases.minimatch) {
  const re = attempt(() => minimatch.makeRe(c.pattern, { dot: true }));
  c.matched = re ? c.texts.filter((text) => re.test(text)) : null;
}
for (const c of cases.nx) {
  const hits = attempt(() => native.matchGlobPaths(c.patterns, c.texts));
  c.matched = hits && c.texts.filter((_, i) => hits[i]);
}
const lines = (list) => list.map((c) => `    ${JSON.stringify(c)}`).join(',\n');
writeFileSync(
  fixture,
  `{\n  "minimatch": [\n${lines(cases.minimatch)}\n  ],\n  "nx": [\n${lines(cases.nx)}\n  ]\n}\n`,
);
