"""Fingerprints of imports: equal only where Nx's walk over the tokens must end the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.workspace.reuse import fingerprint

SAME = {
    "another body": (
        "import { a } from './a';\nexport const f = () => a(1);\n",
        "import { a } from './a';\nexport const f = () => a('two') / 2;\n",
    ),
    "another name of the same module": ("import { a } from 'm';\n", "import { b, c } from 'm';\n"),
    "a type": ("import { T } from 'm';\n", "import type { T } from 'm';\n"),
    "another order": ("import 'a';\nimport 'b';\n", "import 'b';\nimport 'a';\n"),
    "export from": ("export { a } from 'm';\n", "export * from 'm';\n"),
    "import and export": ("import 'm';\n", "export * from 'm';\n"),
    "import = require": ("import m = require('m');\n", "import m from 'm';\n"),
    "a comment": ("// import 'a'\nlet x;\n", "// import 'b'\nlet x;\n"),
    "a string": ("const s = \"import 'a'\";\n", "const s = \"import 'b'\";\n"),
    "a template": ("const s = `require('a')`;\n", "const s = `require('b')`;\n"),
    "beside a call": (
        "const l = () => import('./l');\nfunction f() { return 1; }\n",
        "const l = () => import('./l');\nfunction f() { return `a ${1}`; }\n",
    ),
    "import.meta": ("const u = import.meta.url;\n", "const u = [import.meta.url];\n"),
    "a method called export": ("a.export(1);\nimport 'x';\n", "a.export(2);\nimport 'x';\n"),
}

DIFFERENT = {
    "a new import": ("let a;\n", "import 'm';\nlet a;\n"),
    "another module": ("import a from 'm';\n", "import a from 'n';\n"),
    "import type": ("import type { A } from 'm';\n", "import type { A } from 'n';\n"),
    "export from": ("export * from 'm';\n", "export * from 'n';\n"),
    "import = require": ("import m = require('m');\n", "import m = require('n');\n"),
    "require": ("const m = require('m');\n", "const m = require('n');\n"),
    "require.resolve": ("require.resolve('m');\n", "require.resolve('n');\n"),
    "import()": ("const m = import('m');\n", "const m = import('n');\n"),
    "a template as specifier": ("import(`m`);\n", "import(`n`);\n"),
    "a type's import": ("let a: import('m').A;\n", "let a: import('n').A;\n"),
    "a mock": ("jest.mock('m', () => require('m'));\n", "jest.mock('m', () => require('n'));\n"),
    "within a module": (
        "declare module 'x' { import a from 'm'; }\n",
        "declare module 'x' { import a from 'n'; }\n",
    ),
    # Nx calls the one dynamic and the other static.
    "what is around a call": (
        "function f() { return require('m'); }\n",
        "function f() { const s = `${1}`; return require('m'); }\n",
    ),
}

DOUBTFUL = {
    "no syntax": "import { a from 'm';\n",
    "no UTF-8": b"import 'm'; // \xff\n",
    "binary": b"import 'm'\0",
    "told to ignore": "// nx-ignore-next-line\nimport 'm';\n",
    "an alias of a namespace": "import A = B.C;\nconst s = 'm';\n",
    "an export that Nx reads on": "export { a }\nimport 'm'\n",
    "an export list with a string": "export { a as 'm' };\n",
    "a keyword in an export list": "export { a as delete } from 'm';\n",
    "import of what is called type": "import type, { A } from 'm';\n",
    "require as a value": "const r = require;\nr('m');\n",
    "require as a key": "const a = { require: 'm' };\nf();\n",
    "a statement that begins with a block": "export default { a: require('m') };\n",
    "a call on the line of another statement": "if (a) {} import('m');\n",
    "a backtick in a regular expression": "import 'm';\nif (a) /`/.test(b);\n",
    "a brace in a regular expression, and a call": "if (a) /{/.test(b);\nrequire('m');\n",
}


@pytest.mark.parametrize("case", SAME)
def test_what_nx_cannot_tell_apart_is_equal(case: str) -> None:
    old, new = (fingerprint("a.ts", text.encode()) for text in SAME[case])
    assert old is not None
    assert old == new


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_nx_may_tell_apart_is_not(case: str) -> None:
    old, new = (fingerprint("a.ts", text.encode()) for text in DIFFERENT[case])
    assert old is None or old != new


@pytest.mark.parametrize("case", DOUBTFUL)
def test_what_is_not_certain_has_none(case: str) -> None:
    text = DOUBTFUL[case]
    data = text if isinstance(text, bytes) else text.encode()
    assert fingerprint("a.ts", data) is None


def test_texts_of_jsx_are_no_code() -> None:
    plain = "import 'm';\nexport const P = () => <p>Don't</p>;\n"
    assert fingerprint("a.tsx", plain.encode()) is not None
    for text in ("import your data", "a ` b", "/* b"):
        assert fingerprint("a.tsx", plain.replace("Don't", text).encode()) is None
    assert fingerprint("a.tsx", f"const l = import('l');\n{plain}".encode()) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    for words in (b"", b"import ", b"export {"):
        fingerprint("a.tsx", words + data)
