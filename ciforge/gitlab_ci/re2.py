"""RE2, the regular expressions of GitLab's rules, on top of Python's `re`.

`compile` refuses what RE2 refuses (lookarounds, backreferences, stacked repetitions, ...) and
translates the rest, atom by atom, so that flags in the middle (`a(?i)b|c`) keep their meaning.
Source: the syntax page of RE2's project; GitLab uses RE2's Perl mode, without one_line.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

REPETITIONS = 1000
"""The highest count of a repetition that RE2 takes, those within it multiplied."""

_CLASSES = {"d": "09", "s": "\t\n\f\r  ", "w": "09AZ__az"}
# Pairs of first and last character.
_POSIX = {
    "alnum": "09AZaz", "alpha": "AZaz", "ascii": "\0\x7f", "blank": "\t\t  ",
    "cntrl": "\0\x1f\x7f\x7f", "digit": "09", "graph": "!~", "lower": "az", "print": " ~",
    "punct": "!/:@[`{~", "space": "\t\r  ", "upper": "AZ", "word": "09AZ__az", "xdigit": "09AFaf",
}  # fmt: skip
_CONTROL = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_CATEGORY = re.compile(r"C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?")
# RE2 knows every script; these are told by the name of the character, without a table.
_SCRIPT = re.compile(
    "Arabic|Armenian|Bengali|Cyrillic|Devanagari|Ethiopic|Georgian|Greek|Hangul|Han|Hebrew|"
    "Hiragana|Katakana|Khmer|Lao|Latin|Mongolian|Myanmar|Sinhala|Tamil|Telugu|Thai|Tibetan"
)
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_UNICODE = re.compile(r"(?:\{(\^?)(\w+)\}|(\w))")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(r"\(\?P?<(\w+)>")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")


Ranges = tuple[tuple[int, int], ...]
"""First and last code points."""


class Re2Error(ValueError):
    """RE2 would not take this regular expression."""


@lru_cache(maxsize=512)
def compile(pattern: str) -> re.Pattern[str]:  # noqa: A001 - the name that `re` and RE2 use
    """`pattern`, in RE2's syntax, for Python's engine; groups do not capture.

    Raises Re2Error.
    """
    try:
        return re.compile(_Translation(pattern).run())
    except (re.error, OverflowError, RecursionError) as error:
        raise Re2Error(str(error)) from None


@dataclass
class _Translation:
    """`times`: how often the last atom may stand there, repetitions within it multiplied.

    `most`: the highest of these in each group that is open.
    """

    text: str
    at: int = 0
    flags: frozenset[str] = frozenset()
    out: list[str] = field(default_factory=list)
    outer: list[frozenset[str]] = field(default_factory=list)
    times: int = 1
    most: list[int] = field(default_factory=lambda: [1])
    repeatable: bool = False
    stacked: bool = False

    def run(self) -> str:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        if self.outer:
            raise Re2Error("missing )")
        return "".join(self.out)

    def _step(self, char: str) -> None:
        if char in "*+?" or (char == "{" and _REPEAT.match(self.text, self.at)):
            return self._repeat()
        if char == "(":
            return self._open()
        if char in ")|":
            if char == ")":
                if not self.outer:
                    raise Re2Error("unexpected )")
                self.flags = self.outer.pop()
                self._count(self.most.pop())
            self.at += 1
            self.out.append(char)
            return self._after(repeatable=char == ")")
        if self.text.startswith(r"\Q", self.at):
            end = self.text.find(r"\E", self.at + 2)
            quoted = self.text[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.text)
            for literal in quoted:
                self._atom(_literal(literal))
            return None
        if char == "[":
            return self._atom(self._class())
        if char == "\\":
            # RE2 complements `\W` before it folds cases, Python after: these need no folding.
            escape = self._escape()
            return self._atom(escape, folds=not escape.startswith("["))
        self.at += 1
        if char == ".":
            return self._atom(r"[\s\S]" if "s" in self.flags else r"[^\n]")
        if char == "^":
            return self._atom(r"(?m:^)" if "m" in self.flags else r"(?:\A)")
        if char == "$":
            return self._atom(r"(?m:$)" if "m" in self.flags else r"(?:\Z)")
        return self._atom(_literal(char))

    def _atom(self, translated: str, *, folds: bool = True) -> None:
        self.out.append(f"(?i:{translated})" if folds and "i" in self.flags else translated)
        self._count(1)
        self._after(repeatable=True)

    def _count(self, times: int) -> None:
        """The last atom holds what may stand there `times`, by repetitions within each other."""
        self.times = times
        self.most[-1] = max(self.most[-1], times)

    def _after(self, *, repeatable: bool, stacked: bool = False) -> None:
        self.repeatable, self.stacked = repeatable, stacked

    def _repeat(self) -> None:
        if self.stacked:
            raise Re2Error("bad repetition operator")
        if not self.repeatable:
            raise Re2Error("missing argument to repetition operator")
        counted = _REPEAT.match(self.text, self.at)
        operator = counted[0] if counted else self.text[self.at]
        if counted:
            low = int(counted[1])
            high = int(counted[3]) if counted[3] else low
            if not low <= high or high > REPETITIONS:
                raise Re2Error("bad repetition size")
            self._count(self.times * max(high, 1))
            if self.times > REPETITIONS:
                raise Re2Error("bad repetition size")
        self.at += len(operator)
        if self.text.startswith("?", self.at):
            self.at += 1  # lazy: finds no less
        self.out.append(operator)
        self._after(repeatable=True, stacked=True)

    def _open(self) -> None:
        if not self.text.startswith("(?", self.at):
            self.at += 1
        elif name := _GROUP.match(self.text, self.at):
            self.at = name.end()
        elif flags := _FLAGS.match(self.text, self.at):
            self.at = flags.end()
            within = self.flags.union(flags[1]).difference(flags[2] or "")
            if flags[3] == ")":
                self.flags = within
                self.stacked = False
                return None
            self._push()
            self.flags = within
            return None
        else:
            raise Re2Error("invalid perl operator")
        return self._push()

    def _push(self) -> None:
        self.outer.append(self.flags)
        self.most.append(1)
        self.out.append("(?:")
        self._after(repeatable=False)

    def _escape(self) -> str:
        """What a backslash outside of a class begins, translated."""
        letter = self.text[self.at + 1 : self.at + 2]
        if letter in ("A", "z", "b", "B", "C"):
            self.at += 2
            word = {"b": r"(?a:\b)", "B": r"(?a:(?!\b))", "C": r"[\s\S]"}
            return word.get(letter, r"(?:\A)" if letter == "A" else r"(?:\Z)")
        members = self._members()
        return _literal(self._character()) if members is None else _bracket(members)

    def _members(self) -> Ranges | None:
        r"""What `\d`, `\W`, `\pL` at this place contains, or None for another escape."""
        letter = self.text[self.at + 1 : self.at + 2]
        if letter and letter.lower() in _CLASSES:
            self.at += 2
            inside = _pairs(_CLASSES[letter.lower()])
            return inside if letter.islower() else _complement(inside)
        if letter in ("p", "P"):
            wanted = _UNICODE.match(self.text, self.at + 2)
            if wanted is None:
                raise Re2Error("invalid character class range")
            self.at = wanted.end()
            inside = _unicode(wanted[2] or wanted[3])
            negated = (letter == "P") != (wanted[1] == "^")
            return _complement(inside) if negated else inside
        return None

    def _character(self) -> str:
        """The character that an escape at this place stands for."""
        rest = self.text[self.at + 1 :]
        if not rest:
            raise Re2Error("trailing backslash")
        if octal := re.match(r"0[0-7]{0,2}|[1-7][0-7]{1,2}", rest):
            self.at += 1 + octal.end()
            return chr(int(octal[0], 8))
        if hexadecimal := re.match(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})", rest):
            self.at += 1 + hexadecimal.end()
            number = int(hexadecimal[1] or hexadecimal[2], 16)
            if number > sys.maxunicode:
                raise Re2Error("invalid escape sequence")
            return chr(number)
        if rest[0] in _CONTROL:
            self.at += 2
            return chr(_CONTROL[rest[0]])
        if not rest[0].isascii() or rest[0].isalnum():
            raise Re2Error("invalid escape sequence")
        self.at += 2
        return rest[0]

    def _class(self) -> str:
        """A bracket expression, from `[` to `]`."""
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        members: list[Ranges] = []
        while not members or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                raise Re2Error("missing ]")
            if posix := _POSIX_CLASS.match(self.text, self.at):
                if posix[2] not in _POSIX:
                    raise Re2Error("invalid character class range")
                self.at = posix.end()
                inside = _pairs(_POSIX[posix[2]])
                members.append(_complement(inside) if posix[1] else inside)
            elif self.text[self.at] == "\\" and (escaped := self._members()) is not None:
                members.append(escaped)
            else:
                members.append((self._range(),))
        self.at += 1
        return _bracket([pair for ranges in members for pair in ranges], negated=negated)

    def _range(self) -> tuple[int, int]:
        low = self._class_character()
        follows = self.text[self.at : self.at + 2]
        if not (follows.startswith("-") and len(follows) == 2 and follows != "-]"):
            return ord(low), ord(low)
        self.at += 1
        high = self._class_character()
        if high < low:
            raise Re2Error("invalid character class range")
        return ord(low), ord(high)

    def _class_character(self) -> str:
        if self.text[self.at] == "\\":
            return self._character()
        self.at += 1
        return self.text[self.at - 1]


def _literal(char: str) -> str:
    """One character that means itself."""
    return char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}"


def _bracket(ranges: Iterable[tuple[int, int]], *, negated: bool = False) -> str:
    inside = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    if not inside:
        return r"[\s\S]" if negated else r"[^\s\S]"
    return f"[{'^' if negated else ''}{inside}]"


def _pairs(text: str) -> Ranges:
    return tuple((ord(low), ord(high)) for low, high in zip(text[::2], text[1::2], strict=True))


def _complement(ranges: Ranges) -> Ranges:
    """Every character that `ranges`, in order, leave out."""
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), sys.maxunicode]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)


@lru_cache(maxsize=64)
def _unicode(name: str) -> Ranges:
    """The characters of a general category or of a script, in order."""
    codes = range(sys.maxunicode + 1)
    if name == "Any":
        return ((0, sys.maxunicode),)
    if _CATEGORY.fullmatch(name):
        members = (c for c in codes if unicodedata.category(chr(c)).startswith(name))
    elif _SCRIPT.fullmatch(name):
        word = "CJK" if name == "Han" else name.upper()
        members = (c for c in codes if unicodedata.name(chr(c), "").startswith(word))
    else:
        raise Re2Error("invalid character class range")
    ranges: list[tuple[int, int]] = []
    for code in members:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return tuple(ranges)
