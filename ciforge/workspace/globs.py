"""The two glob dialects of Nx: minimatch for project patterns, its Rust engine for filesets.

Both are read into the same small tree and from there into one `re`, so what differs is
only the reading. No glob library answers as these two do: Nx asks minimatch for
`makeRe()`, which drops a second `/**/`, and its Rust engine rewrites an extglob into plain
globs with set difference (`!(a)` matches nothing but the empty name).

A tree is a list of nodes, each a tuple that starts with its kind:

- `("text", str)`: these characters;
- `("one", source, slashless)`: one character of an `re` class;
- `("run", source, least)`: any number of them, at least `least`;
- `("group", "@?*+", branches)`: extglob, braces;
- `("not", branches)`: none of the branches matches from here up to a `/` or the end;
- `("assert", source)`: a zero-width `re` assertion.

Python's `re` backtracks, so a tree whose matching could take exponential time is walked
with sets of positions instead (`_ends`): slower per path, but bounded for every pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import re

Node = tuple[Any, ...]
Tree = list[Node]

MAX_LENGTH = 65_536
MAX_BRANCHES = 5_000
MAX_DEPTH = 50
MAX_NEGATIONS = 6
_MAX_FREE_RUNS = 4

_STAR: Node = ("run", "[^/]", 0)
_STAR_SOME: Node = ("run", "[^/]", 1)
_NOTHING: Node = ("assert", "")
_NEVER: Node = ("assert", "(?!)")


class Matcher:
    """What a glob, or a set of them, answers for one text.

    `matches(text)` is exact for the dialect it was made by. Instances are shared through a
    cache and must not be changed.
    """

    __slots__ = ("_fits", "_literals", "_negated", "_slow", "_view")

    def __init__(
        self,
        trees: Sequence[Tree],
        literals: Iterable[str],
        view: _View,
        negated: bool = False,
    ) -> None:
        self._negated = negated
        self._literals = frozenset(literals)
        self._view = view
        quick = [tree for tree in trees if not _is_hostile(tree)]
        self._slow = [tree for tree in trees if _is_hostile(tree)]
        self._fits = _compile("|".join(map(tree_source, quick))).fullmatch if quick else None

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        if self._negated:
            return bool(text) and _NEWLINES.isdisjoint(text) and not self._fit(text)
        return text in self._literals or self._fit(text)

    def _fit(self, text: str) -> bool:
        if self._fits is None and not self._slow:
            return False
        text = text if text.isascii() else self._view(text)
        if self._fits is not None and self._fits(text) is not None:
            return True
        return any(len(text) in _ends(tree, text, {0}) for tree in self._slow)


# --- trees: source, simulation ---------------------------------------------------------


@lru_cache(maxsize=4096)
def _compile(source: str) -> re.Pattern[str]:
    import re

    return re.compile(source, re.DOTALL)


def _quote(text: str) -> str:
    import re

    return re.escape(text)


def _width(node: Node) -> int | None:
    """How many characters the node always takes, or None if it may vary or take a slash."""
    match node:
        case ("text", text) if "/" not in text:
            return len(text)
        case ("one", _, True):
            return 1
        case ("group", "@", branches):
            widths = set(map(_tree_width, branches))
            return widths.pop() if len(widths) == 1 else None
        case _:
            return None


def _tree_width(tree: Tree) -> int | None:
    total = 0
    for node in tree:
        width = _width(node)
        if width is None:
            return None
        total += width
    return total


def _pin(tree: Tree, at: int) -> int:
    """Where the fixed text between the `*` at `at` and the next `*` ends, or 0.

    The next `*` takes up whatever a first `*` leaves, so the first may stop at the first
    place where the text between fits, and never has to try another one.
    """
    end = at + 1
    while end < len(tree) and _width(tree[end]) is not None:
        end += 1
    return end if at + 1 < end < len(tree) and tree[end] == _STAR else 0


def tree_source(tree: Tree) -> str:
    out = []
    at = 0
    while at < len(tree):
        node = tree[at]
        end = _pin(tree, at) if node == _STAR else 0
        if end:
            out.append(f"(?>[^/]*?{tree_source(tree[at + 1 : end])})")
            at = end
            continue
        out.append(_node_source(node))
        at += 1
    return "".join(out)


def _node_source(node: Node) -> str:
    match node:
        case ("text", text):
            return _quote(text)
        case ("one", source, _):
            return str(source)
        case ("run", source, least):
            source = source if source in ("[^/]", ".") else f"(?:{source})"
            return f"{source}{'+' if least else '*'}"
        case ("group", kind, branches):
            inner = "|".join(map(tree_source, branches))
            return f"(?:{inner}){'' if kind == '@' else kind}"
        case ("not", branches):
            return f"(?!(?:{'|'.join(map(tree_source, branches))})(?:\\Z|/))"
        case _:
            return str(node[1])


def _is_hostile(tree: Tree) -> bool:
    """Whether `re` could need more than polynomial time of a low degree for this tree."""
    return _free_runs(tree) > _MAX_FREE_RUNS


def _free_runs(tree: Tree) -> int:
    total = 0
    for at, node in enumerate(tree):
        if node[0] == "run":
            total += not (node == _STAR and _pin(tree, at))
        elif node[0] in ("group", "not"):
            branches = node[-1]
            if node[0] == "group" and node[1] in "*+" and not _reads_one_way(branches):
                return _MAX_FREE_RUNS + 1
            total += max(map(_free_runs, branches), default=0)
    return total


def _reads_one_way(branches: Sequence[Tree]) -> bool:
    """Whether a repeated group splits any text in one way: literals, none starting another."""
    words = []
    for branch in branches:
        if any(node[0] != "text" for node in branch):
            return False
        words.append("".join(node[1] for node in branch))
    words = sorted(set(words))
    return all(words) and not any(b.startswith(a) for a, b in pairwise(words))


def _ends(tree: Tree, text: str, starts: set[int]) -> set[int]:
    """Every position where a match of `tree` that begins at one of `starts` can end."""
    at = starts
    for node in tree:
        if not at:
            break
        at = _step(node, text, at)
    return at


def _step(node: Node, text: str, at: set[int]) -> set[int]:
    match node:
        case ("text", piece):
            return {p + len(piece) for p in at if text.startswith(piece, p)}
        case ("one", source, _):
            one = _compile(source).match
            return {p + 1 for p in at if one(text, p)}
        case ("run", source, least):
            one = _compile(source).match
            out: set[int] = set()
            for p in sorted(at):
                if p in out and not least:
                    continue
                out.update(() if least else (p,))
                while p < len(text) and one(text, p):
                    p += 1
                    out.add(p)
            return out
        case ("group", kind, branches):
            once = _union(branches, text, at)
            if kind in "*+":
                new = once
                while new:
                    new = _union(branches, text, new) - once
                    once |= new
            return once | at if kind in "?*" else once
        case ("not", branches):
            return {
                p
                for p in at
                if not any(e == len(text) or text[e] == "/" for e in _union(branches, text, {p}))
            }
        case _:
            holds = _compile(node[1]).match
            return {p for p in at if holds(text, p)}


def _union(branches: Sequence[Tree], text: str, at: set[int]) -> set[int]:
    out: set[int] = set()
    for branch in branches:
        out |= _ends(branch, text, at)
    return out


class _View:
    """How a dialect sees text that is not ASCII: as UTF-16 units, UTF-8 bytes or as it is."""

    __slots__ = ("_how",)

    def __init__(self, how: str) -> None:
        self._how = how

    def __call__(self, text: str) -> str:
        if self._how == "utf-8":
            return text.encode("utf-8", "surrogatepass").decode("latin-1")
        if self._how == "utf-16" and max(text, default="") > "\uffff":
            return "".join(_units(text))
        return text


def _units(text: str) -> Iterator[str]:
    for char in text:
        if char > "\uffff":
            high, low = divmod(ord(char) - 0x10000, 0x400)
            yield chr(0xD800 + high)
            yield chr(0xDC00 + low)
        else:
            yield char


_AS_IS, _UTF8, _UTF16 = _View(""), _View("utf-8"), _View("utf-16")


# --- minimatch -------------------------------------------------------------------------

# Neither is any of these, in JavaScript, what a dot matches.
_NEWLINES = frozenset("\n\r\u2028\u2029")
_NOT_NEWLINE = "[^\\n\\r\\u2028\\u2029]"
_TWO_STARS: Node = ("run", f"(?!(?:/|^)\\.{{1,2}}(?:\\Z|/)){_NOT_NEWLINE}", 0)
_NO_DOTS: Node = ("assert", "(?!(?:^|/)\\.\\.?(?:\\Z|/))")
_SLASH: Node = ("text", "/")

_MAGIC = frozenset("*?[]{}()!#\\+@|")


class _Ext:
    """An extglob: its kind (one of `!?+*@`) and its branches, each a list of parts."""

    __slots__ = ("branches", "is_empty", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.branches: list[list[str | _Ext]] = []
        self.is_empty = False


_ADOPTS = {"!": "?@", "?": "?@", "@": "?@", "*": "*+?@", "+": "*+?@"}


@lru_cache(maxsize=1024)
def minimatch(pattern: str) -> Matcher:
    """A matcher that answers as `minimatch.makeRe(pattern, {dot: true})` of minimatch 10.2.

    That is what Nx 24 calls for the globs of `--projects`, `--exclude`, tags and
    `implicitDependencies`. Braces, extglobs, classes and `**` as a whole segment; an odd
    number of leading `!` negates.

    Raises ValueError where minimatch gives no regular expression (the empty pattern, a
    leading `#`), and for what it would take too long over: more than 65,536 characters,
    5,000 brace alternatives, 50 nested groups, or 6 negations in one segment.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError("the pattern is too long")
    if not pattern or pattern.startswith("#"):
        raise ValueError("the pattern matches nothing")
    if _MAGIC.isdisjoint(pattern) and ".." not in pattern and "//" not in pattern:
        return Matcher((), (pattern,), _UTF16)
    bare = pattern.lstrip("!")
    negated = (len(pattern) - len(bare)) % 2 == 1
    bare = bare if "[:" in bare else _UTF16(bare)
    reader = _Minimatch()
    trees = [reader.path(text) for text in dict.fromkeys(_expand_braces(bare))]
    if reader.needs_code_points and any(map(_has_bad_escape, trees)):
        raise ValueError("a class such as [:alpha:] cannot stand beside '-', ',', '#' or a blank")
    view = _AS_IS if reader.needs_code_points else _UTF16
    return Matcher(trees, (), view, negated)


def _has_bad_escape(tree: Tree) -> bool:
    # minimatch writes these with a backslash, which JavaScript's u flag refuses.
    for node in tree:
        if node[0] == "text" and any(c in "-,#" or c.isspace() for c in node[1]):
            return True
        if node[0] in ("group", "not") and any(map(_has_bad_escape, node[-1])):
            return True
    return False


class _Minimatch:
    """Reads one pattern without braces into a tree."""

    def __init__(self) -> None:
        self.needs_code_points = False
        self._negations = 0

    def path(self, pattern: str) -> Tree:
        parts = [None if s == "**" else self._segment(s) for s in self._tidy(pattern)]
        # What makeRe() does with `**`: it folds the neighbours of one `**` into one part, and
        # then no longer sees a later `**` that would need this part as its neighbour.
        done: list[Tree | None] = list(parts)
        for at, part in enumerate(parts):
            is_first, is_last = at == 0, at + 1 == len(parts)
            before = [] if is_first else done[at - 1]
            after = [] if is_last else done[at + 1]
            if part is not None or before is None or after is None:
                continue
            if is_first and is_last:
                done[at] = [_TWO_STARS]
            elif is_first:
                done[1] = [("group", "?", [[_SLASH], [_TWO_STARS, _SLASH]]), *after]
            elif is_last:
                done[at - 1] = [*before, ("group", "?", [[_SLASH], [_SLASH, _TWO_STARS]])]
            else:
                between = [[_SLASH], [_SLASH, _TWO_STARS, _SLASH]]
                done[at - 1] = [*before, ("group", "@", between), *after]
                done[at + 1] = None
        kept = [part for part in done if part is not None]
        tree: Tree = []
        for at, part in enumerate(kept):
            tree += [_SLASH, *part] if at else part
        return tree

    @staticmethod
    def _tidy(pattern: str) -> list[str]:
        segments = pattern.split("/")
        # Slashes in a row count as one.
        inner = [s for s in segments[1:-1] if s]
        segments = [segments[0], *inner, segments[-1]] if len(segments) > 1 else segments
        out: list[str] = []
        for segment in segments:
            last = out[-1] if out else ""
            if segment == "**" and last == "**":
                continue
            if segment == ".." and last and last not in ("..", ".", "**"):
                out.pop()
            else:
                out.append(segment)
        return out or [""]

    def _segment(self, text: str) -> Tree:
        self._negations = 0
        parts: list[str | _Ext] = []
        self._parse(text, 0, 0, parts, None)
        return self._sequence(parts, True, True, ())

    def _parse(
        self, text: str, at: int, depth: int, parts: list[str | _Ext], ext: _Ext | None
    ) -> int:
        """Reads from `at` into `parts` (a segment) or into `ext`, whose `(` is at `at`."""
        if depth > MAX_DEPTH:
            raise ValueError("the pattern nests too deep")
        at += ext is not None
        escaped = False
        class_at = -1
        negated = False
        word = ""
        while at < len(text):
            char = text[at]
            at += 1
            if escaped or char == "\\":
                escaped = not escaped
                word += char
            elif class_at >= 0:
                if at == class_at + 1:
                    negated = negated or char in "^!"
                elif char == "]" and not (at == class_at + 2 and negated):
                    class_at = -1
                word += char
            elif char == "[":
                class_at, negated = at, False
                word += char
            elif self._opens(text, at, depth, ext):
                if word:
                    parts.append(word)
                word = ""
                child = _Ext(char)
                free = ext is not None and char in _ADOPTS[ext.kind]
                # Nesting that costs no depth in minimatch still costs stack here.
                at = self._child(text, at, depth, parts, child, free)
            elif ext is not None and char == "|":
                if word:
                    parts.append(word)
                word = ""
                ext.branches.append(list(parts))
                parts.clear()
            elif ext is not None and char == ")":
                # minimatch looks at the last piece only: `!(a|)` counts as empty too.
                ext.is_empty = not word
                if word:
                    parts.append(word)
                ext.branches.append(list(parts))
                return at
            else:
                word += char
        if ext is not None:
            # Never closed: no extglob at all, and what follows is read as plain glob.
            raise _Unclosed
        if word:
            parts.append(word)
        return at

    _nesting = 0

    def _child(
        self, text: str, at: int, depth: int, parts: list[str | _Ext], child: _Ext, free: bool
    ) -> int:
        self._nesting += 1
        if self._nesting > MAX_DEPTH:
            raise ValueError("the pattern nests too deep")
        try:
            end = self._parse(text, at, depth + (not free), [], child)
        except _Unclosed:
            if self._nesting > 1:
                raise
            parts.append(text[at - 1 :])
            return len(text)
        finally:
            self._nesting -= 1
        parts.append(child)
        return end

    @staticmethod
    def _opens(text: str, at: int, depth: int, ext: _Ext | None) -> bool:
        kind = text[at - 1]
        if kind not in "!?+*@" or text[at : at + 1] != "(":
            return False
        # minimatch follows three levels of extglobs, and more where one can take over the other.
        return depth <= 2 or (ext is not None and kind in _ADOPTS[ext.kind])

    def _sequence(
        self,
        parts: Sequence[str | _Ext],
        start: bool,
        end: bool,
        beyond: Sequence[str | _Ext],
    ) -> Tree:
        """The tree of some parts of a segment, with those `beyond` up to the segment's end."""
        plain = all(isinstance(part, str) for part in parts)
        tree: Tree = []
        opening = start
        for at, part in enumerate(parts):
            if isinstance(part, str):
                nodes = self._glob(part, start and end and plain)
            else:
                last = end and at == len(parts) - 1
                nodes = self._extglob(part, [*parts[at + 1 :], *beyond], opening, last)
            opening = opening and isinstance(part, _Ext) and part.kind == "!"
            tree += nodes
        if start and parts and isinstance(parts[0], str):
            alone = len(parts) == 1 and parts[0] in (".", "..")
            if not alone and _may_be_dots(tree):
                tree.insert(0, _NO_DOTS)
        return tree

    def _extglob(self, ext: _Ext, following: Sequence[str | _Ext], start: bool, end: bool) -> Tree:
        if ext.kind == "!":
            if ext.is_empty:
                return [_STAR_SOME]
            self._negations += 1
            if self._negations > 2**MAX_NEGATIONS:
                raise ValueError("the pattern has too many negations")
            branches = [
                self._sequence([*branch, *following], start, True, ()) for branch in ext.branches
            ]
            return [("not", branches), _STAR]
        branches = [self._sequence(branch, start, end, following) for branch in ext.branches]
        if start and end:
            branches = [branch for branch in branches if branch]
            if not branches:
                return [("text", f"{ext.kind}({'|' * (len(ext.branches) - 1)})")]
        return [("group", ext.kind, branches)]

    def _glob(self, glob: str, whole: bool) -> Tree:
        tree: Tree = []
        at = 0
        may_close = True
        while at < len(glob):
            char = glob[at]
            at += 1
            read = _read_class(glob, at - 1) if char == "[" and may_close else None
            if read is not None:
                node, at, unicode = read
                self.needs_code_points |= unicode
                if node[0] == "text":
                    _add_text(tree, node[1])
                else:
                    tree.append(node)
            elif char == "*":
                if not (tree and tree[-1][0] == "run"):
                    tree.append(_STAR_SOME if whole and not glob.strip("*") else _STAR)
            elif char == "?":
                tree.append(("one", "[^/]", True))
            elif char == "\\" and at < len(glob):
                _add_text(tree, glob[at])
                at += 1
            else:
                # Where one class never closes, none after it does.
                may_close = may_close and (char != "[" or "[:" in glob)
                _add_text(tree, char)
        return tree


class _Unclosed(Exception):  # noqa: N818
    """An extglob that began is no extglob."""


def _add_text(tree: Tree, text: str) -> None:
    if tree and tree[-1][0] == "text":
        tree[-1] = ("text", tree[-1][1] + text)
    else:
        tree.append(("text", text))


def _may_be_dots(tree: Tree) -> bool:
    """Whether minimatch guards this segment against `.` and `..`: a wildcard after up to 2 dots."""
    rest = tree
    if tree and tree[0][0] == "text" and tree[0][1] in (".", ".."):
        rest = tree[1:]
    if not rest or rest[0][0] == "text":
        return False
    return rest[0][0] in ("one", "run") and str(rest[0][1]).startswith("[")


_POSIX: dict[str, tuple[str, ...]] = {
    # The Unicode categories minimatch puts for each; "~" negates, ":" is taken as it is.
    "alnum": ("L", "Nl", "Nd"),
    "alpha": ("L", "Nl"),
    "ascii": (":\\x00-\\x7f",),
    "blank": ("Zs", ":\\t"),
    "cntrl": ("Cc",),
    "digit": ("Nd",),
    "graph": ("~", "Z", "C"),
    "lower": ("Ll",),
    "print": ("~", "C"),
    "punct": ("P",),
    "space": ("Z", ":\\t\\r\\n\\v\\f"),
    "upper": ("Lu",),
    "word": ("L", "Nl", "Nd", "Pc"),
    "xdigit": (":A-Fa-f0-9",),
}


@lru_cache(maxsize=1)
def _categories() -> dict[str, str]:
    """Class source by Unicode category and by major category."""
    from unicodedata import category

    runs: dict[str, list[list[int]]] = {}
    for code in range(0x110000):
        name = category(chr(code))
        for key in (name, name[0]):
            spans = runs.setdefault(key, [])
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    return {key: "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in spans) for key, spans in runs.items()}


def _read_class(glob: str, start: int) -> tuple[Node, int, bool] | None:
    """The class that opens at `start`: its node, where it ends, and whether it needs Unicode.

    None if it never closes. An out-of-order range is dropped; a class left with nothing
    matches nothing, and takes the rest of the glob with it.
    """
    at = start + 1
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    ranges: list[str] = []
    excluded: list[str] = []
    unicode = False
    first = True
    low = ""
    literal = ""
    while at < len(glob):
        char = glob[at]
        if char == "]" and not first:
            break
        first = False
        if char == "\\" and at + 1 < len(glob):
            at += 1
            char = glob[at]
        elif char == "\\":
            return None
        elif char == "[" and (name := _posix_name(glob, at)):
            if low:
                return _NEVER, len(glob), False
            source, wants_unicode = _posix_source(name)
            (excluded if "~" in _POSIX[name] else ranges).append(source)
            unicode |= wants_unicode
            at += len(name) + 4
            continue
        at += 1
        if low:
            if char >= low:
                ranges.append(f"{_quote(low)}-{_quote(char)}")
                literal = char if char == low else ""
            low = ""
        elif glob.startswith("-]", at):
            ranges.append(_quote(char) + "\\-")
            literal = ""
            at += 1
        elif glob.startswith("-", at):
            low = char
            at += 1
        else:
            ranges.append(_quote(char))
            literal = char
    else:
        return None
    at += 1
    if not ranges and not excluded:
        return _NEVER, len(glob), False
    if len(ranges) == 1 and literal and not excluded and not negated:
        return ("text", literal), at, False
    wanted = f"[{'^' if negated else ''}{''.join(ranges)}]"
    others = f"[{'' if negated else '^'}{''.join(excluded)}]"
    if ranges and excluded:
        return ("one", f"(?:{wanted}|{others})", False), at, unicode
    # minimatch lets a negated class match a slash.
    return ("one", wanted if ranges else others, False), at, unicode


def _posix_name(glob: str, at: int) -> str:
    if not glob.startswith("[:", at):
        return ""
    name = glob[at + 2 : max(glob.find(":]", at + 2), at + 2)]
    return name if name in _POSIX else ""


def _posix_source(name: str) -> tuple[str, bool]:
    parts = [part for part in _POSIX[name] if part != "~"]
    wants_unicode = not all(part.startswith(":") for part in parts)
    source = "".join(p[1:] if p.startswith(":") else _categories()[p] for p in parts)
    return source, wants_unicode


# --- braces ----------------------------------------------------------------------------

# Stand for an escaped \ { } , . while braces are expanded: no text has half a surrogate pair.
_HIDE = {"\\": "\udc00", "{": "\udc01", "}": "\udc02", ",": "\udc03", ".": "\udc04"}
_SHOW = str.maketrans({hidden: char for char, hidden in _HIDE.items()})


def _expand_braces(pattern: str) -> list[str]:
    """The alternatives of `{a,b}` and `{1..3}`, as bash and minimatch expand them."""
    import re

    if not re.search(r"\{[^{\n\r\u2028\u2029]*\}", pattern):
        return [pattern]
    if pattern.startswith("{}"):
        pattern = "\\{\\}" + pattern[2:]
    hidden = re.sub(r"\\([\\{},.])", lambda m: _HIDE[m[1]], pattern)
    return [text.translate(_SHOW) for text in _expand(hidden, True, 0)]


def _balanced(text: str) -> tuple[int, int] | None:
    """The first `{` that closes, and its `}`; with stray ones, the widest pair that fits."""
    opens: list[int] = []
    left, right = len(text), -1
    at_open = text.find("{")
    at_close = text.find("}", at_open + 1)
    if at_open < 0 or at_close <= 0:
        return None
    at = at_open
    while at >= 0:
        if at == at_open:
            opens.append(at)
            at_open = text.find("{", at + 1)
        elif len(opens) == 1:
            return opens[0], at_close
        else:
            begin = opens.pop() if opens else left
            if begin < left:
                left, right = begin, at_close
            at_close = text.find("}", at + 1)
        at = at_open if 0 <= at_open < at_close else at_close
    return (left, right) if opens and right >= 0 else None


def _split_commas(body: str) -> list[str]:
    parts: list[str] = []
    carry = ""
    while pair := _balanced(body):
        begin, end = pair
        head = body[:begin].split(",")
        head[0] = carry + head[0]
        head[-1] += body[begin : end + 1]
        body = body[end + 1 :]
        if not body:
            return parts + head
        carry = head.pop()
        parts += head
    tail = body.split(",")
    tail[0] = carry + tail[0]
    return parts + tail


def _expand(text: str, top: bool, depth: int) -> list[str]:
    import re

    if depth > MAX_DEPTH:
        raise ValueError("the pattern nests too deep")
    done = [""]
    drop_empty = False
    first = True
    rewrites = 0

    def join(middle: str, values: Sequence[str], drop: bool) -> list[str]:
        if len(done) * len(values) > MAX_BRANCHES:
            raise ValueError("the braces of the pattern have too many alternatives")
        texts = [head + middle + value for head in done for value in values]
        return [t for t in texts if t] if drop else texts

    while True:
        pair = _balanced(text)
        if pair is None:
            return join(text, [""], drop_empty)
        head, body, rest = text[: pair[0]], text[pair[0] + 1 : pair[1]], text[pair[1] + 1 :]
        ends = drop_empty and not rest
        if head.endswith("$"):
            done = join(f"{head}{{{body}}}", [""], ends)
            first = False
        else:
            numbers = re.fullmatch(r"-?[0-9]+\.\.-?[0-9]+(?:\.\.-?[0-9]+)?", body)
            letters = re.fullmatch(r"[a-zA-Z]\.\.[a-zA-Z](?:\.\.-?[0-9]+)?", body)
            is_sequence = bool(numbers or letters)
            if not is_sequence and "," not in body:
                if re.search(r",(?!,)[^\n\r\u2028\u2029]*\}", rest):
                    rewrites += 1
                    if rewrites > 1_000:
                        raise ValueError("the braces of the pattern do not pair")
                    text = f"{head}{{{body}{_HIDE['}']}{rest}"
                    top = True
                    continue
                return join(text, [""], drop_empty)
            if first:
                drop_empty = top and not is_sequence
                first = False
            ends = drop_empty and not rest
            if is_sequence:
                values = _sequence(body, bool(letters))
            else:
                options = _split_commas(body)
                if len(options) == 1:
                    options = [f"{{{t}}}" for t in _expand(options[0], False, depth + 1)]
                    if len(options) == 1:
                        done = join(head + options[0], [""], ends)
                        if not rest:
                            return done
                        text = rest
                        continue
                values = []
                for option in options:
                    # An empty alternative expands to nothing but itself.
                    values += _expand(option, False, depth + 1)
                    if len(values) > MAX_BRANCHES:
                        raise ValueError("the braces of the pattern have too many alternatives")
            done = join(head, values, ends)
        if not rest:
            return done
        text = rest


def _sequence(body: str, letters: bool) -> list[str]:
    fields = body.split("..")
    low, high = (ord(f) if letters else int(f) for f in fields[:2])
    step = max(abs(int(fields[2])), 1) if len(fields) == 3 else 1
    numbers = range(low, high - 1, -step) if high < low else range(low, high + 1, step)
    if len(numbers) > MAX_BRANCHES:
        raise ValueError("the braces of the pattern have too many alternatives")
    if letters:
        return ["" if n == ord("\\") else chr(n) for n in numbers]
    width = max(map(len, fields[:2]))
    is_padded = any(f.lstrip("-").startswith("0") and len(f.lstrip("-")) > 1 for f in fields)
    return [f"{n:0{width}d}" if is_padded else str(n) for n in numbers]


# --- the Rust engine -------------------------------------------------------------------

_BYTES_ANY: Node = ("run", ".", 0)
_ANY_DEPTH: Node = ("group", "@", [[_SLASH], [_SLASH, _BYTES_ANY, _SLASH]])
_BELOW: Tree = [_SLASH, _BYTES_ANY]
_ANY_PARENT: Node = ("group", "@", [[], [_SLASH], [_BYTES_ANY, _SLASH]])

_NX_MAGIC = frozenset("*?[]{}()!\\")


class GlobSet:
    """A set of fileset globs: what a positive one matches and no negative one does.

    Without a positive glob, everything that no negative one matches. Order means nothing.
    """

    __slots__ = ("_exclude", "_include", "_is_open")

    def __init__(self, include: Matcher, exclude: Matcher | None, is_open: bool) -> None:
        self._include = include
        self._exclude = exclude
        self._is_open = is_open

    def matches(self, path: str) -> bool:
        """Whether the set selects `path`, a path relative to where its globs are."""
        if not self._is_open and not self._include.matches(path):
            return False
        return self._exclude is None or not self._exclude.matches(path)

    def filter(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` that the set selects, in their order."""
        matches = self.matches
        return [path for path in paths if matches(path)]


def nx_glob_set(patterns: Iterable[str]) -> GlobSet:
    """The globs of a fileset, as the native module of Nx 24 matches them (`matchGlobPaths`).

    `!x` excludes; `x/` is `x/**`; `?` and classes see UTF-8 bytes. An extglob is rewritten
    into plain globs: in the last segment of `p/!(a|b).ts` that is `p/*.ts` without
    `p/{a,b}.ts`, and in any other one everything below `{a,b}` is excluded.

    Raises ValueError for what Nx refuses (an unclosed class, brace or group, a backwards
    range, a last backslash), and for more than 65,536 characters, 5,000 rewritten globs or
    50 nested braces.
    """
    return _nx_glob_set(tuple(patterns))


@lru_cache(maxsize=1024)
def _nx_glob_set(patterns: tuple[str, ...]) -> GlobSet:
    # [include, exclude]
    literals: tuple[list[str], list[str]] = ([], [])
    trees: tuple[list[Tree], list[Tree]] = ([], [])
    for pattern in patterns:
        if len(pattern) > MAX_LENGTH:
            raise ValueError("the pattern is too long")
        bare = pattern.removeprefix("!")
        if _NX_MAGIC.isdisjoint(bare) and not bare.endswith("/"):
            literals[pattern.startswith("!")].append(bare)
            continue
        for glob in _plain_globs(pattern):
            excludes = glob.startswith("!")
            plain = glob[excludes:]
            plain += "**" if plain.endswith("/") else ""
            trees[excludes].append(_Globset(_UTF8(plain)).tree())
    include, exclude = (Matcher(t, names, _UTF8) for t, names in zip(trees, literals, strict=True))
    is_open = not trees[0] and not literals[0]
    return GlobSet(include, exclude if trees[1] or literals[1] else None, is_open)


def _plain_globs(pattern: str) -> list[str]:
    """The pattern without extglobs: plain globs, with a `!` before those that exclude."""
    out: list[str] = []
    for part in _outer_alternatives(pattern):
        out += _rewrite(part)
    return out


def _outer_alternatives(pattern: str) -> list[str]:
    """`{a,b}` around the whole pattern taken apart, so that `{!a,b}` can exclude `a`."""
    if not (pattern.startswith("{") and pattern.endswith("}")):
        return [pattern]
    parts: list[str] = []
    depth = 0
    begin = 1
    for at, char in enumerate(pattern):
        depth += (char == "{") - (char == "}")
        if depth == 0 and at != len(pattern) - 1:
            return [pattern]
        if char == "," and depth == 1:
            parts.append(pattern[begin:at])
            begin = at + 1
    if depth:
        return [pattern]
    return [*parts, pattern[begin:-1]]


def _rewrite(pattern: str) -> list[str]:
    negated = pattern.startswith("!") and not pattern.startswith("!(")
    *parents, last = pattern[negated:].split("/")
    out: list[str] = []
    paths = [""]
    for segment in parents:
        built = _rewrite_segment(segment, False)
        # What a parent segment excludes is excluded with all that lies below it.
        out += [f"!{path}{text}/" for text, excludes in built if excludes for path in paths]
        paths = [f"{path}{text}/" for path in paths for text, excludes in built if not excludes]
        if len(paths) + len(out) > MAX_BRANCHES:
            raise ValueError("the pattern has too many alternatives")
    for text, excludes in _rewrite_segment(last, True):
        out += [f"{'!' if excludes or negated else ''}{path}{text}" for path in paths]
        if len(out) > MAX_BRANCHES:
            raise ValueError("the pattern has too many alternatives")
    return list(dict.fromkeys(out))


def _rewrite_segment(segment: str, is_last: bool) -> list[tuple[str, bool]]:
    """The plain globs a segment stands for, and for each whether it is one to exclude."""
    built = [("", False)]
    for kind, text in _extglobs(segment):
        shown = f"{{{text}}}" if kind and "," in text else text
        shown += kind[1:] if kind.startswith("!") else ""
        kept = [(head + shown, excludes or kind.startswith("!")) for head, excludes in built]
        if kind == "?":
            kept = built + kept
        elif kind in ("*", "!"):
            kept = [(head if is_last else "*", excludes) for head, excludes in built] + kept
        elif kind in ("!.", "!*"):
            kept = [("*." if kind == "!." else "*", excludes) for _, excludes in built] + kept
        built = list(dict.fromkeys(kept))
        if len(built) > MAX_BRANCHES:
            raise ValueError("the pattern has too many alternatives")
    return built


def _extglobs(segment: str) -> Iterator[tuple[str, str]]:
    """A segment in pieces: `("", text)`, or an extglob's kind and its branches with commas.

    `!(a).` and `!(a)*` have kinds of their own: Nx reads the character as part of them.
    """
    at = 0
    while at < len(segment):
        char = segment[at]
        group = at + (char in "*?+@!")
        end = segment.find(")", group) if segment.startswith("(", group) else -1
        if end >= 0:
            kind = char
            following = segment[end + 1 : end + 2]
            if char == "!" and following in (".", "*"):
                kind += following
            yield kind, segment[group + 1 : end].replace("|", ",")
            at = end + len(kind)
        elif segment.startswith("{,", at):
            end = segment.find("}", at)
            if end < 0:
                raise ValueError(f"a brace is never closed: {segment}")
            yield "?", segment[at + 2 : end].replace("|", ",")
            at = end + 1
        else:
            end = _text_end(segment, at)
            if end == at:
                raise ValueError(f"a group is never closed: {segment}")
            yield "", segment[at:end]
            at = end


def _text_end(segment: str, at: int) -> int:
    """Where the plain text that begins at `at` ends, as far as Nx takes it in one piece."""
    char = segment[at]
    if char == "\\":
        return min(at + 2, len(segment))
    if char == "[" and (end := _class_end(segment, at)):
        return end
    if char in "?+@!" and segment[at + 1 : at + 2] != "(":
        return at + 1
    empty_branch = segment.find("{,", at)
    escape = segment.find("\\", at)
    # Up to such a brace even an extglob is plain text.
    if empty_branch >= 0 and not 0 <= escape < empty_branch:
        return empty_branch
    end = at
    while end < len(segment) and segment[end] not in "?+@!(\\":
        if segment[end] == "[" and end > at and _class_end(segment, end):
            break
        end += 1
    return end


def _class_end(text: str, at: int) -> int:
    """Behind the class that opens at `at`, or 0 if it never closes."""
    at += 1
    at += text[at : at + 1] in ("!", "^")
    at += text[at : at + 1] == "]"
    return text.find("]", at) + 1


class _Globset:
    """Reads one plain glob, as bytes in latin-1, the way the Rust crate `globset` does."""

    def __init__(self, glob: str) -> None:
        self._glob = glob
        self._at = 0
        # One list of branches for each open brace, and one for the glob itself.
        self._open: list[list[Tree]] = [[[]]]

    def tree(self) -> Tree:
        glob = self._glob
        while self._at < len(glob):
            char = glob[self._at]
            self._at += 1
            if char == "?":
                self._branch.append(("one", "[^/]", True))
            elif char == "*":
                self._stars()
            elif char == "[":
                self._branch.append(self._class())
            elif char == "{":
                if len(self._open) > MAX_DEPTH:
                    raise ValueError("the pattern nests too deep")
                self._open.append([[]])
            elif char == "}":
                if len(self._open) == 1:
                    raise ValueError(f"a brace closes that was never opened: {glob}")
                # An empty branch is no branch, but a brace of them still stands before a `**`.
                branches = [t for t in self._open.pop() if any(n != _NOTHING for n in t)]
                self._branch.append(("group", "@", branches) if branches else _NOTHING)
            elif char == "," and len(self._open) > 1:
                self._open[-1].append([])
            elif char == "\\":
                if self._at == len(glob):
                    raise ValueError(f"a backslash escapes nothing: {glob}")
                _add_text(self._branch, glob[self._at])
                self._at += 1
            else:
                _add_text(self._branch, char)
        if len(self._open) > 1:
            raise ValueError(f"a brace is never closed: {glob}")
        tree = self._open[0][0]
        return [_BYTES_ANY] if tree == [_ANY_PARENT] else tree

    @property
    def _branch(self) -> Tree:
        return self._open[-1][-1]

    def _stars(self) -> None:
        glob, at, tree = self._glob, self._at, self._branch
        before = glob[at - 2] if at > 1 else ""
        if not glob.startswith("*", at):
            tree.append(_STAR)
            return
        self._at += 1
        after = glob[at + 1 : at + 2]
        nested = len(self._open) > 1
        if not tree:
            if after in ("", "/"):
                tree.append(_ANY_PARENT)
                self._at += 1
            else:
                tree.append(_STAR)
            return
        ends = not after or (nested and after in ",}")
        starts = before == "/" or (nested and before in ("{", ","))
        if not starts or not (ends or after == "/"):
            tree.append(_STAR)
            return
        # A `**` after another one adds nothing; any other takes the slash before it in.
        if tree[-1] == _ANY_PARENT or tree[-2:] == _BELOW:
            self._at += after == "/"
            return
        if tree[-1][0] == "text":
            text = tree.pop()[1][:-1]
            if text:
                tree.append(("text", text))
        else:
            tree.pop()
        if ends:
            tree += _BELOW
        else:
            tree.append(_ANY_DEPTH)
            self._at += 1

    def _class(self) -> Node:
        glob, start = self._glob, self._at - 1
        end = _class_end(glob, start)
        if not end:
            raise ValueError(f"a class is never closed: {glob}")
        body = glob[start + 1 : end - 1]
        negated = body[:1] in ("!", "^")
        members = body[negated:]
        ranges: list[tuple[str, str]] = []
        at = 0
        while at < len(members):
            char = members[at]
            at += 1
            if char == "-" and ranges and at < len(members):
                low, high = ranges[-1][0], members[at]
                at += 1
                if high < low:
                    raise ValueError(f"a range runs backwards: {glob}")
                ranges[-1] = (low, high)
            else:
                ranges.append((char, char))
        source = "".join(f"{_quote(a)}-{_quote(b)}" if a != b else _quote(a) for a, b in ranges)
        slashless = not negated and not any(a <= "/" <= b for a, b in ranges)
        self._at = end
        return ("one", f"[{'^' if negated else ''}{source}]", slashless)
