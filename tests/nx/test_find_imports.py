"""Fingerprints of imports beside the scanner of the real Nx, on sources put together at random.

Where two sources have one fingerprint, Nx must find the same in both; the other way round it
need not hold.
"""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path

import pytest

from ciforge.workspace.reuse import fingerprint
from tests.conftest import Repo
from tests.nx.conftest import run

pytestmark = pytest.mark.node

LINES = """\
import { z } from './z';
import type B from 'b';
import C = require('c');
import D = E.F;
import type, { x } from 'y';
export { z } from './z';
export { q }
export { q };
export { q as 'name' };
export { q as delete } from 'kw';
export * from 'k';
export type { A } from 'a';
export type * from 'ts';
export default { a: require('dd') };
export type T = 'x'
export const s = 'str';
export {}
const l = import('./lazy');
const Lz = dynamic(() => import("./Lz"), { ssr: false });
require('m');
require.resolve('rr')
const { require: r2 } = a; f('zz')
const t: import('./t').T = 1;
let u = v as import('w').W;
type G = Foo<import('gen').H>;
{ require('blk'); }
async function g() { const { x } = await import('./g'); return x; }
function h() { const s = `${q}`; return require("hh"); }
class K { m() { return require('k2'); } }
class Z { a: { b: typeof import("zz") } = { b: import("zy") }; }
const o = { a: require('o'), b: () => import('p') };
if (a) { require('cond'); } else { import('els'); }
jest.mock('jm', () => ({ a: require('jr') }));
module.exports = { a: require('me') }
interface I { require: string; import(a: string): void; }
declare module 'mod' {}
x.export('a');
const q = `a ${b} c`;
const s = 'plain';
const tt = `x ${a ? `y ${b}` : c} z`;
foo(/['`]/g);
if (x) /re{/g.test(y);
const d = a / b / c;
// import 'c';
// nx-ignore-next-line
/* import 'x' */
'use strict';
const j = <p>Dont {x} it's</p>;
const j2 = <div className={a}>import your data</div>;
enum E { A }
label: { }
}
""".splitlines()
SCRIPT = """
const { findImports } = require('nx/src/native');
const { readFileSync } = require('fs');
const files = JSON.parse(readFileSync(process.argv[2]));
const unique = (list) => [...new Set(list)].sort();
const found = findImports({ project: files }).map((r) => [
  r.file, [unique(r.staticImportExpressions), unique(r.dynamicImportExpressions)],
]);
console.log(JSON.stringify(Object.fromEntries(found)));
"""


def variants(chance: random.Random) -> list[str]:
    """A source, and others that differ from it by a line or a character."""
    first = [chance.choice(LINES) for _ in range(chance.randint(1, 5))]
    sources = [first]
    for _ in range(12):
        lines = list(first)
        at = chance.randrange(len(lines))
        how = chance.random()
        if how < 0.5:
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(LINES))
        elif how < 0.7:
            del lines[at]
        elif how < 0.85:
            lines.append(lines.pop(at))
        else:
            cut = chance.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + chance.choice("'`/{};() x=[]*") + lines[at][cut + 1 :]
        sources.append(lines)
    return ["\n".join(lines) + "\n" for lines in sources]


def test_equal_fingerprints_are_equal_for_nx(workspace: Repo, tmp_path: Path) -> None:
    chance = random.Random(24)
    groups: list[list[Path]] = []
    for number in range(600):
        suffix = chance.choice([".ts", ".tsx", ".js", ".mts"])
        files = []
        for index, source in enumerate(variants(chance)):
            files.append(tmp_path / f"{number}-{index}{suffix}")
            files[-1].write_text(source)
        groups.append(files)
    script, names = workspace.path / "find.cjs", tmp_path / "files.json"
    script.write_text(SCRIPT.replace("nx/src/native", _native(workspace)))
    names.write_text(json.dumps([str(file) for group in groups for file in group]))
    found = json.loads(run(workspace.path, "node", str(script), str(names)))
    compared = 0
    for group in groups:
        prints = {file: fingerprint(file.name, file.read_bytes()) for file in group}
        for one, other in combinations(group, 2):
            if prints[one] is not None and prints[one] == prints[other]:
                compared += 1
                told = f"{one.read_text()}\n--- and\n{other.read_text()}"
                assert found[str(one)] == found[str(other)], told
    assert compared > 1000


def _native(workspace: Repo) -> str:
    package = workspace.path / "node_modules/nx"
    folder = next(f for f in ("dist/src/native", "src/native") if (package / f).exists())
    return str(package / folder)
