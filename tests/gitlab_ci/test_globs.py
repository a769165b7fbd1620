"""Globs as Ruby's File.fnmatch with PATHNAME, DOTMATCH and EXTGLOB reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.gitlab_ci.globs import matches


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("a", "a", "a/b"),
        ("*.js", "x.js", "a/x.js"),
        ("*", ".hidden", "a/b"),
        ("apps/**/*", "apps/api/src/x.ts", "libs/x"),
        ("apps/**/*", "apps/x", "apps"),
        ("**/*.js", "x.js", "x.jsx"),
        ("**/*.js", ".a/b/x.js", "x.js/y"),
        ("apps/**", "apps/x", "apps/a/b"),
        ("a**/b", "axx/b", "a/x/b"),
        ("{apps,libs}/*", "libs/x", "docs/x"),
        ("{a,b{c,d}}", "bd", "b"),
        ("{**/,}x", "a/b/x", "ax"),
        (r"a\{b", "a{b", "ab"),
        ("a,b", "a,b", "a"),
        ("x?z", "xyz", "x/z"),
        ("[a-c]x", "bx", "dx"),
        ("[!a-c]x", "dx", "bx"),
        ("[^a]x", "bx", "ax"),
        ("[b-a]", "a", "c"),
        ("[!]", "a", "/"),
        ("[a/]b", "ab", "/b"),
        ("{a,[x]}", "x", "[x]"),
        ("a\\", "a", "a\\"),
        ("**/**/x", "x", "y"),
        (r"\*", "*", "x"),
        ("a.b", "a.b", "axb"),
        ("a\nb", "a\nb", "ab"),
        ("*a*b", "aab", "ba"),
        ("*a*a*", "xayaz", "a"),
        ("**/a/**/a/**/c", "a/a/a/c", "a/c"),
    ],
)
def test_matches(glob: str, yes: str, no: str) -> None:
    assert not matches(glob, no)
    assert matches(glob, yes)


@pytest.mark.parametrize("glob", ["a{b", "[a", "[]", "[", "{", "[]a]", "{a,b", "{a}{"])
def test_what_is_not_closed_matches_nothing(glob: str) -> None:
    assert not any(matches(glob, path) for path in ("a", "b", "ab", "]", glob, ""))


def test_braces_that_make_millions_of_patterns_end() -> None:
    assert matches("{a,b}" * 40, "a" * 40)


@pytest.mark.parametrize("part", ["*", "*a", "**/", "**/a/", "**/*a", "?*"])
def test_a_glob_of_many_stars_ends(part: str) -> None:
    for path in ("a" * 200, "a/" * 200, "aa/" * 100):
        assert not matches(f"{part * 300}b", path)


@settings(max_examples=300)
@given(st.text(alphabet="a*/", max_size=8), st.text(alphabet="a/", max_size=8))
def test_no_star_gives_up_too_soon(glob: str, path: str) -> None:
    tokens = re.split(r"((?:(?<=/)|^)\*\*/|\*)", glob)
    known = {"**/": "(?:[^/]*/)*", "*": "[^/]*"}
    expected = "".join(known.get(token, re.escape(token)) for token in tokens)
    assert matches(glob, path) == bool(re.fullmatch(expected, path))


_GLOBS = st.text(alphabet="ab/*?[]{},!^-\\.", max_size=12)


@settings(max_examples=60)
@given(_GLOBS, st.text(alphabet="ab/.-", max_size=8))
def test_any_glob_is_read(glob: str, path: str) -> None:
    assert isinstance(matches(glob, path), bool)


@settings(max_examples=60)
@given(st.text(alphabet="ab/.{,-é", max_size=8))
def test_a_path_matches_itself(path: str) -> None:
    assert matches(path.replace("{", r"\{"), path)
