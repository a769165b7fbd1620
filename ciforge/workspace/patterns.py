"""Which projects a list of patterns names, as Nx reads `--projects`, `--exclude` and dependencies.

The rules are those of `findMatchingProjects` of Nx 24, down to what looks odd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ciforge.errors import InputError
from ciforge.workspace.globs import Matcher, minimatch
from ciforge.workspace.model import Project

_KINDS = frozenset({"name", "tag", "directory", "unlabeled"})
_GLOB_CHARACTERS = frozenset("*|{}()[")
_WORD = frozenset("@-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def split_list(value: str) -> list[str]:
    """The entries of a comma-separated option: `'a,"b",c'` gives `["a", "b", "c"]`.

    Quotes around an entry go, blanks stay, and a comma splits even inside quotes or braces:
    so does Nx's own `parseCSV`.
    """
    if not value:
        return []
    # A lone quote opens and closes itself.
    return [
        item[1:-1] if item.startswith('"') and item.endswith('"') else item
        for item in value.split(",")
    ]


def match_projects(patterns: Sequence[str], projects: Mapping[str, Project]) -> list[str]:
    """The names of the projects that `patterns` select, in the order Nx selects them.

    A pattern is a project's name, a glob of names or roots, a part of a name, or one of them
    behind `name:`, `tag:` or `directory:`; `!` before it takes away instead. When the first
    pattern takes away, it takes away from all projects. Without a label, roots are tried
    only when the name changed nothing in the selection: what Nx compares is its size.

    Raises InputError for a glob that Nx refuses.
    """
    if not any(patterns):
        return []
    names = list(projects)
    # A dict keeps the order of insertion, as the set of the original does.
    selected: dict[str, None] = {}
    first = ["*"] if patterns[0].startswith("!") else []
    for text in [*first, *patterns]:
        if not text or text.startswith("nx-cloud:"):
            continue
        excludes = text.startswith("!")
        kind, value = _label(text[1:] if excludes else text, projects)
        apply = _taker(selected) if excludes else selected.update
        if value == "*":
            apply(dict.fromkeys(names))
        elif kind == "tag":
            apply(dict.fromkeys(_by_tag(value, projects)))
        elif kind == "name":
            apply(dict.fromkeys(_by_name(value, projects)))
        elif kind == "directory":
            apply(dict.fromkeys(_by_root(value, projects)))
        else:
            size = len(selected)
            apply(dict.fromkeys(_by_name(value, projects)))
            if len(selected) == size:
                apply(dict.fromkeys(_by_root(value, projects)))
    return list(selected)


def _taker(selected: dict[str, None]) -> Callable[[Mapping[str, None]], None]:
    def take(found: Mapping[str, None]) -> None:
        for name in found:
            selected.pop(name, None)

    return take


def _label(text: str, projects: Mapping[str, Project]) -> tuple[str, str]:
    # A project may itself be called "tag:x".
    if text in projects:
        return "name", text
    kind, colon, value = text.partition(":")
    return (kind, value) if colon and kind in _KINDS else ("unlabeled", text)


def _is_glob(value: str) -> bool:
    return not _GLOB_CHARACTERS.isdisjoint(value)


def _glob(value: str) -> Matcher:
    try:
        return minimatch(value)
    except ValueError as error:
        raise InputError(
            f"the project pattern {value!r} is not a glob that Nx can read: {error}",
            hint="Write a project name, a tag:, a directory: or a simpler glob.",
        ) from None


def _by_name(value: str, projects: Mapping[str, Project]) -> Iterable[str]:
    if value in projects:
        return [value]
    if _is_glob(value):
        matches = _glob(value).matches
        return [name for name in projects if name == value or matches(name)]
    folded = _fold(value)
    return [name for name in projects if _has_word(_fold(name), folded)]


def _by_root(value: str, projects: Mapping[str, Project]) -> Iterable[str]:
    if not projects:
        return []
    matches = _glob(value).matches
    roots = ((name, project.data.root) for name, project in projects.items())
    return [name for name, root in roots if root == value or matches(root)]


def _by_tag(value: str, projects: Mapping[str, Project]) -> Iterable[str]:
    tagged = [name for name, project in projects.items() if value in (project.data.tags or ())]
    if not _is_glob(value) or len(tagged) == len(projects):
        return tagged
    matches = _glob(value).matches
    return [
        name
        for name, project in projects.items()
        if any(tag == value or matches(tag) for tag in project.data.tags or ())
    ]


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text))


def _fold_character(char: str) -> str:
    # How JavaScript folds case: one unit to one unit, and never from outside ASCII into it.
    upper = char.upper()
    if char.isascii():
        return char.lower()
    return char if len(upper) != 1 or upper.isascii() or char > "\uffff" else upper


def _has_word(name: str, word: str) -> bool:
    """Whether `word` stands in `name` with no letter, digit, `-` or `@` on either side of it."""
    at = name.find(word)
    while at >= 0:
        end = at + len(word)
        if (at == 0 or name[at - 1] not in _WORD) and (end == len(name) or name[end] not in _WORD):
            return True
        at = name.find(word, at + 1)
    return False
