// Records which projects findMatchingProjects of Nx selects for the cases of patterns.json.
//
// To re-record, with a directory that has nx 24 in node_modules:
//   NX_AT=<that directory> NX_DAEMON=false node record_patterns.mjs
// It rewrites `selected` of every case (null: Nx throws). `projects` is name: [root, tags].
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const at = join(process.env.NX_AT, 'node_modules');
const require = createRequire(join(at, 'nx', 'package.json'));
const { findMatchingProjects } = require(join(at, 'nx/dist/src/utils/find-matching-projects.js'));
const { parseCSV } = require(
  join(at, 'nx/dist/src/command-line/yargs-utils/shared-options.js'),
);

const fixture = new URL('patterns.json', import.meta.url);
const cases = JSON.parse(readFileSync(fixture, 'utf8'));
for (const c of cases.match) {
  const projects = Object.fromEntries(
    Object.entries(c.projects).map(([name, [root, tags]]) => [name, { data: { root, tags } }]),
  );
  try {
    c.selected = findMatchingProjects([...c.patterns], projects);
  } catch {
    c.selected = null;
  }
}
for (const c of cases.split) {
  c.items = parseCSV(c.value);
}
const lines = (list) => list.map((c) => `    ${JSON.stringify(c)}`).join(',\n');
writeFileSync(
  fixture,
  `{\n  "match": [\n${lines(cases.match)}\n  ],\n  "split": [\n${lines(cases.split)}\n  ]\n}\n`,
);
