// Records what real Nx answers for the cases of inputs.json: the projects its native
// locators call touched, and the files its hash planner selects for a target's inputs.
//
// To re-record, with a directory that has nx 24 in node_modules:
//   NX_AT=<that directory> NX_DAEMON=false node record_inputs.mjs
// It rewrites `touched` and `selected`. `selected` is {files} or {error}; files that Nx adds
// to every target (nx.json and its own cache) are left out.
import { createRequire } from 'node:module';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const at = join(process.env.NX_AT, 'node_modules');
const require = createRequire(join(at, 'nx', 'package.json'));
const native = require(join(at, 'nx/dist/src/native/index.js'));
const transform = require(join(at, 'nx/dist/src/native/transform-objects.js'));

const fixture = new URL('inputs.json', import.meta.url);
const cases = JSON.parse(readFileSync(fixture, 'utf8'));

function graphOf(projects) {
  const nodes = {};
  for (const [name, data] of Object.entries(projects)) {
    nodes[name] = { name, type: 'lib', data: { targets: {}, ...data } };
  }
  return { nodes, dependencies: {}, externalNodes: {} };
}

for (const c of cases.touch) {
  const found = await native.locateTouchedProjects(
    transform.transformProjectGraphForLocators(graphOf(c.projects)),
    c.nxJson,
    c.files,
    {
      projectGlobPatterns: [],
      projectDeletionAffectsAllProjects: true,
      workspaceRoot: '/nonexistent',
    },
    [],
  );
  c.touched = [...new Set(found)].sort();
}

const root = mkdtempSync(join(tmpdir(), 'record-'));
for (const file of cases.workspace.files) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), '');
}
const context = new native.WorkspaceContext(root, join(root, '.nx'), {});
await context.ready();
const roots = Object.fromEntries(
  Object.entries(cases.workspace.roots).map(([name, where]) => [where, name]),
);
const { externalReferences: refs } = await context.getWorkspaceFiles(roots);
for (const c of cases.select) {
  const projects = {};
  for (const [name, where] of Object.entries(cases.workspace.roots)) {
    projects[name] = { root: where };
  }
  projects[c.project].targets = { it: { executor: 'nx:noop', inputs: c.inputs ?? undefined } };
  projects[c.project].namedInputs = c.namedInputs;
  const graph = graphOf(projects);
  graph.dependencies = Object.fromEntries(Object.keys(projects).map((name) => [name, []]));
  const id = `${c.project}:it`;
  const target = { project: c.project, target: 'it' };
  const task = { id, target, overrides: {}, outputs: [], cache: true, parallelism: true };
  const taskGraph = {
    roots: [id],
    tasks: { [id]: { ...task, projectRoot: cases.workspace.roots[c.project] } },
    dependencies: { [id]: [] },
    continuousDependencies: { [id]: [] },
  };
  try {
    const ref = transform.transformProjectGraphForRust(graph);
    const plans = new native.HashPlanner(c.nxJson, ref).getPlansReference([id], taskGraph);
    const inspector = new native.HashPlanInspector(
      refs.allWorkspaceFiles,
      refs.projectFiles,
      root,
    );
    const files = inspector.inspectInputs(plans)[id].files;
    c.selected = { files: files.filter((f) => f !== 'nx.json' && !f.startsWith('.nx/')) };
  } catch (error) {
    c.selected = { error: String(error.message).split('\n')[0] };
  }
}
rmSync(root, { recursive: true, force: true });
const lines = (list) => list.map((c) => `    ${JSON.stringify(c)}`).join(',\n');
writeFileSync(
  fixture,
  `{\n  "workspace": ${JSON.stringify(cases.workspace)},\n` +
    `  "touch": [\n${lines(cases.touch)}\n  ],\n  "select": [\n${lines(cases.select)}\n  ]\n}\n`,
);
