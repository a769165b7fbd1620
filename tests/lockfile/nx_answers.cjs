// Prints what real Nx makes of the fixtures beside this file, as JSON.
//
//   npm install --prefix DIR nx@24.0.6
//   node nx_answers.cjs DIR/node_modules/nx fixtures > nx_answers.json
//
// fixtures/CASE has base/ and head/, each with one lockfile, and package.json, the head's
// root manifest; installed.json, if there, maps folders ("node_modules/x") to the
// package.json that Nx finds in them. A hash that is not in the lockfile's text comes from
// Nx's native hash function, whose values nobody else reproduces: it is printed as null.
const { mkdtempSync, mkdirSync, readFileSync, readdirSync, existsSync, rmSync, writeFileSync } =
  require('node:fs');
const { join, dirname, resolve } = require('node:path');
const { tmpdir } = require('node:os');

const [nx, fixtures] = process.argv.slice(2).map((path) => resolve(path));
const root = mkdtempSync(join(tmpdir(), 'nx-answers-'));
process.env.NX_WORKSPACE_ROOT_PATH = root;
process.env.NX_DAEMON = 'false';
writeFileSync(join(root, 'nx.json'), '{}');

const plugin = join(nx, 'dist/src/plugins/js');
const { getLockFileNodesForName, getLockFileDependencies } = require(
  join(plugin, 'lock-file/lock-file.js'),
);
const { getTouchedProjectsFromLockFile } = require(
  join(plugin, 'project-graph/affected/lock-file-changes.js'),
);
const { LockFileChange } = require(join(nx, 'dist/src/project-graph/file-utils.js'));
const { hashArray } = require(join(nx, 'dist/src/hasher/file-hasher.js'));

const managers = { 'package-lock.json': 'npm', 'pnpm-lock.yaml': 'pnpm', 'yarn.lock': 'yarn' };

function install(manifests) {
  rmSync(join(root, 'node_modules'), { recursive: true, force: true });
  for (const [path, manifest] of Object.entries(manifests)) {
    mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, path, 'package.json'), JSON.stringify(manifest));
  }
  // Nx insists on this file of a finished pnpm install, and reads nothing in it.
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(join(root, 'node_modules/.modules.yaml'), '');
}

function graph(name, text, packageJson) {
  const hash = hashArray([text]);
  const { nodes, keyMap } = getLockFileNodesForName(name, text, hash, packageJson);
  const context = { externalNodes: nodes, projects: {}, fileMap: {} };
  const edges = getLockFileDependencies(managers[name], name, text, hash, context, keyMap);
  return { nodes, edges };
}

function changed(name, base, head, packageJson, packages) {
  // With one external node per package, the touched nodes are the changed packages.
  const externalNodes = Object.fromEntries(
    packages.map((packageName) => [packageName, { data: { packageName } }]),
  );
  const file = { file: name, getChanges: () => [new LockFileChange(base, head)] };
  const nxJson = { pluginsConfig: { '@nx/js': { projectsAffectedByDependencyUpdates: 'auto' } } };
  const projects = { all: { name: 'ALL' } };
  const graph = { externalNodes };
  return getTouchedProjectsFromLockFile([file], projects, nxJson, packageJson, graph).sort();
}

const log = console.log;
console.log = console.warn = console.error = () => {};
process.stderr.write = () => true;
const answers = {};
for (const name of readdirSync(fixtures).sort()) {
  const folder = join(fixtures, name);
  if (!existsSync(join(folder, 'head'))) continue;
  const read = (path) => readFileSync(join(folder, path), 'utf-8');
  const packageJson = JSON.parse(read('package.json'));
  const lockfile = readdirSync(join(folder, 'head'))[0];
  const [base, head] = [read(`base/${lockfile}`), read(`head/${lockfile}`)];
  install(existsSync(join(folder, 'installed.json')) ? JSON.parse(read('installed.json')) : {});
  const answer = (answers[name] = { lockfile });
  const packages = new Set();
  for (const [side, text] of [['base', base], ['head', head]]) {
    try {
      const { nodes, edges } = graph(lockfile, text, packageJson);
      for (const node of Object.values(nodes)) packages.add(node.data.packageName);
      answer[side] = {
        nodes: Object.fromEntries(
          Object.entries(nodes).map(([key, { data }]) => [
            key,
            [data.packageName, data.version ?? '', text.includes(data.hash) ? data.hash : null],
          ]),
        ),
        edges: edges.map(({ source, target }) => `${source} ${target}`),
      };
    } catch (error) {
      answer[side] = { error: error.message.split('\n')[0] };
    }
  }
  answer.changed = changed(lockfile, base, head, packageJson, [...packages]);
}
rmSync(root, { recursive: true, force: true });
log(JSON.stringify(answers, null, 1));
