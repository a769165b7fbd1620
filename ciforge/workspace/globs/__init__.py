"""The two glob dialects of Nx: minimatch for project patterns, its Rust engine for filesets.

No glob library answers as these two do: Nx asks minimatch for `makeRe()`, which drops a
second `/**/`, and its Rust engine rewrites an extglob into plain globs with set difference
(`!(a)` matches nothing but the empty name). Both are read into the same trees (`tree`), by
`minimatch_syntax` and `nx_syntax`, and from there into one `re`; a tree that `re` could
take too long over is walked instead (`walk`). All of them are imported with the first
pattern that is more than a path.

Where answers differ from Nx on purpose:

- a POSIX class such as `[[:alpha:]]` in a project pattern is refused, not read;
- so are extglobs nested more than three deep, and more than 100 braces;
- `?`, `*` and classes of a project pattern take a character above U+FFFF for one, minimatch
  for two; and a newline for a character like others;
- an empty group behind a negation (`!(a)@()`) is an empty name, not these characters; and
  `!()` does not match `.` or `..`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ciforge.workspace.globs.tree import Tree

    _Side = tuple[list[str], list[str], list[Tree]]

MAX_LENGTH = 65_536

_MINIMATCH_MAGIC = frozenset("*?[]{}()!#\\+@|")
_NX_MAGIC = frozenset("*?[]{}()!\\")


class Matcher:
    """What a glob, or a set of them, answers for one text.

    `matches(text)` is exact for the dialect it was made by. Instances are shared through a
    cache and must not be changed.
    """

    __slots__ = ("_fits", "_literals", "_negated", "_prefixes", "_view", "_walks")

    def __init__(
        self,
        literals: Iterable[str] = (),
        prefixes: Iterable[str] = (),
        trees: Sequence[Tree] = (),
        view: Callable[[str], str] = str,
        negated: bool = False,
    ) -> None:
        """Matches any of these; `view` is how the trees see a text that is not ASCII."""
        self._literals = frozenset(literals)
        self._prefixes = tuple(prefixes)
        self._fits: Callable[[str], object] | None = None
        self._walks: Callable[[str], bool] | None = None
        self._view = view
        self._negated = negated
        if trees:
            from ciforge.workspace.globs.walk import searchers

            self._fits, self._walks = searchers(trees)

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        if text in self._literals or text.startswith(self._prefixes):
            return True
        if not text.isascii():
            text = self._view(text)
        found = (self._fits is not None and self._fits(text) is not None) or (
            self._walks is not None and self._walks(text)
        )
        # Negated, minimatch asks for at least one character.
        return (bool(text) and not found) if self._negated else found


class GlobSet:
    """A set of fileset globs: what a positive one matches and no negative one does.

    Without a positive glob, everything that no negative one matches. Order means nothing.
    """

    __slots__ = ("_excludes", "_includes")

    def __init__(self, include: Matcher | None, exclude: Matcher | None) -> None:
        self._includes = include.matches if include else None
        self._excludes = exclude.matches if exclude else None

    def matches(self, path: str) -> bool:
        """Whether the set selects `path`, a path relative to where its globs are."""
        if self._includes is not None and not self._includes(path):
            return False
        return self._excludes is None or not self._excludes(path)

    def filter(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` that the set selects, in their order."""
        return list(filter(self.matches, paths))


@lru_cache(maxsize=1024)
def minimatch(pattern: str) -> Matcher:
    """A matcher that answers as `minimatch.makeRe(pattern, {dot: true})` of minimatch 10.2.

    That is what Nx 24 calls for the globs of `--projects`, `--exclude`, tags and
    `implicitDependencies`. Braces, extglobs, classes and `**` as a whole segment; an odd
    number of leading `!` negates.

    Raises ValueError where minimatch gives no regular expression (the empty pattern, a
    leading `#`), for a POSIX class, and for what would take too long: more than 65,536
    characters, 100 braces or some 5,000 alternatives of them, extglobs nested more than three
    deep, or too many negations in one segment (six in a row are not).
    """
    _check_length(pattern)
    if not pattern or pattern.startswith("#"):
        raise ValueError("the pattern matches nothing")
    if _MINIMATCH_MAGIC.isdisjoint(pattern) and ".." not in pattern and "//" not in pattern:
        return Matcher([pattern])
    from ciforge.workspace.globs.minimatch_syntax import read

    bare = pattern.lstrip("!")
    return Matcher(trees=read(bare), negated=(len(pattern) - len(bare)) % 2 == 1)


def nx_glob_set(patterns: Iterable[str]) -> GlobSet:
    """The globs of a fileset, as the native module of Nx 24 matches them (`matchGlobPaths`).

    `!x` excludes; `x/` is `x/**`; `?` and classes see UTF-8 bytes. An extglob is rewritten
    into plain globs: in the last segment of `p/!(a|b).ts` that is `p/*.ts` without
    `p/{a,b}.ts`, and in any other one everything below `{a,b}` is excluded.

    Raises ValueError for what Nx refuses (an unclosed class, brace or group, a backwards
    range, a last backslash), and for more than 65,536 characters, some 5,000 rewritten globs,
    50 extglobs in a segment or 50 nested braces.
    """
    return _nx_glob_set(tuple(patterns))


@lru_cache(maxsize=1024)
def _nx_glob_set(patterns: tuple[str, ...]) -> GlobSet:
    # Of those that include and those that exclude: literals, prefixes and trees.
    sides: tuple[_Side, _Side] = ([], [], []), ([], [], [])
    for pattern in patterns:
        _check_length(pattern)
        glob = pattern.removeprefix("!")
        is_below = glob.endswith(("/", "/**", "/**/*")) or glob in ("**", "**/*")
        path = glob.removesuffix("/*").removesuffix("**") if is_below else glob
        if _NX_MAGIC.isdisjoint(path):
            literals, prefixes, _ = sides[pattern != glob]
            (prefixes if is_below else literals).append(path)
            continue
        from ciforge.workspace.globs.nx_syntax import read

        for tree, excludes in read(pattern):
            sides[excludes][2].append(tree)
    return GlobSet(*(Matcher(*side, view=_as_bytes) if any(side) else None for side in sides))


def _as_bytes(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_LENGTH:
        raise ValueError("the pattern is too long")


# What the tests look at beyond the interface; to import it here would cost every start.
_INSIDE = {
    "_Minimatch": ("minimatch_syntax", "Reader"),
    "_compile": ("tree", "compiled"),
    "_ends": ("walk", "ends"),
    "tree_source": ("tree", "tree_source"),
}


def __getattr__(name: str) -> object:
    if name not in _INSIDE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _INSIDE[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
