"""What an unquoted YAML scalar means to GitLab: the typing of Ruby's Psych, YAML 1.1.

Source: Psych's ScalarScanner, and `safe_load` with only symbols allowed, as GitLab calls it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any


class Symbol(str):
    """A Ruby symbol (`:name`): a word to GitLab's checks for text, but no String."""

    __slots__ = ()


class RefusedClassError(ValueError):
    """A date, a time, or a Ruby class: GitLab loads none of them."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Tried to load unspecified class: {name}")
        self.name = name


_TEXT = re.compile(r"[^\d.:-]?[^\W\d]|[^\d.:-]?[_\s!@#$%^&*(){}<>|/\\~;=]")
_TIME = re.compile(
    r"-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$"
)
_DATE = re.compile(r"\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)$")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}$")
_SEXAGESIMAL_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*$")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?$")
_INTEGER = re.compile(
    r"[-+]?0b[_,]*[01][01_,]*$"
    r"|[-+]?0[_,]*[0-7_,]+$"
    r"|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)$"
    r"|[-+]?0x[_,]*[0-9a-fA-F][0-9a-fA-F_,]*$"
)
_LONGEST_NUMBER = 1000
_WORDS: dict[str, bool | None] = {
    "~": None,
    "null": None,
    "yes": True,
    "true": True,
    "on": True,
    "no": False,
    "false": False,
    "off": False,
}


@lru_cache(maxsize=16384)
def plain(text: str) -> Any:
    """The value of an unquoted scalar: None, bool, int, float, Symbol or str.

    Raises RefusedClassError for a date or a time.
    """
    if not text:
        return None
    if _TEXT.match(text) or "\n" in text:
        if len(text) > 5:
            return text
        return _WORDS.get(text.lower(), text)
    return _special(text)


def _special(text: str) -> Any:
    if _TIME.match(text):
        raise RefusedClassError("Time")
    if _DATE.match(text):
        raise RefusedClassError("Date")
    lower = text.lower()
    if lower in (".inf", "+.inf"):
        return float("inf")
    if lower == "-.inf":
        return float("-inf")
    if lower == ".nan":
        return float("nan")
    if text[0] == ":" and len(text) > 1:
        return Symbol(text[2:-1] if text[1] in "\"'" else text[1:])
    if len(text) > _LONGEST_NUMBER:
        return text  # Python refuses to convert what no pipeline means
    if _SEXAGESIMAL.match(text):
        parts = [int(part.replace("_", "")) for part in text.split(":")]
        return sum(part * 60 ** abs(index - 2) for index, part in enumerate(parts))
    if _SEXAGESIMAL_FLOAT.match(text):
        return 0.0  # its value decides nothing
    if _FLOAT.match(text):
        return text if text.strip("+-") == "." else _float(text)
    if _INTEGER.match(text):
        return _integer(text.replace("_", "").replace(",", ""))
    return text


def _float(text: str) -> float | str:
    digits = text.replace("_", "").replace(",", "")
    try:
        return float(digits)
    except ValueError:
        return text


def _integer(text: str) -> int | str:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    base = 10
    if digits.startswith("0b"):
        digits, base = digits[2:], 2
    elif digits.startswith("0x"):
        digits, base = digits[2:], 16
    elif len(digits) > 1 and digits.startswith("0"):
        base = 8
    try:
        return sign * int(digits, base)
    except ValueError:
        return text
