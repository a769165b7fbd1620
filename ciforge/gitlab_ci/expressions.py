"""The expressions of `rules:if`, `workflow:rules:if` and `only:variables`, read as GitLab does.

Source: GitLab's lib/gitlab/ci/pipeline/expression (release line 18.11, as the recorded verdicts
show it). GitLab sorts the tokens with the shunting-yard algorithm, which takes more than its
documentation says (`$A "x" ==` is valid), and evaluates in Ruby, where an empty string is true
for `&&` and `||` but not for the rule as a whole. Both are kept here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ciforge.gitlab_ci import re2

MAX_TOKENS = 99
"""A statement of more tokens is refused."""

Value = bool | str | None

# Tried in this order; `[^\\]/` ends a pattern, so that one of one character (`/x/`) is none.
_TOKENS = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+) | (?P<open>\() | (?P<close>\))
    | (?P<input>\$\[\[\s*inputs\.\w+\s*\]\]) | (?P<variable>\$\w+)
    | (?P<string>"[^"\n]*"|'[^'\n]*') | (?P<pattern>/(?:[^/]|\\/)+[^\\]/[ismU]*)
    | (?P<null>null) | (?P<boolean>(?:true|false)\b)
    | (?P<operator>==|=~|!=|!~|&&|\|\|) | (?P<not>!)""",
    re.VERBOSE | re.ASCII,
)
_PRECEDENCE = {"!": 1, "==": 10, "=~": 10, "!=": 10, "!~": 10, "&&": 11, "||": 12}
_DELIMITED = re.compile(r"^/(?P<pattern>.*)/(?P<flags>[ismU]*)$", re.MULTILINE)


class ExpressionError(ValueError):
    """GitLab says "invalid expression syntax" to this text."""


@dataclass(frozen=True)
class Pattern:
    """`/…/flags`, with slashes still escaped; `regex` is for Python's engine."""

    source: str
    regex: re.Pattern[str]


@dataclass(frozen=True)
class Literal:
    """A string, `null`, `true`, `false` or a pattern."""

    value: Value | Pattern


@dataclass(frozen=True)
class Variable:
    """`$NAME`, `name` without the dollar."""

    name: str


@dataclass(frozen=True)
class Not:
    operand: Expression


@dataclass(frozen=True)
class Operation:
    """`left operator right`."""

    operator: str
    left: Expression
    right: Expression


Expression = Literal | Variable | Not | Operation


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The tree of `text`. Raises ExpressionError where GitLab refuses it."""
    values: list[Expression] = []
    for kind, word in _reverse_polish(_tokens(text)):
        if kind == "value":
            values.append(_leaf(word))
            continue
        if len(values) < (1 if word == "!" else 2):
            raise ExpressionError(f"{word} lacks an operand")
        right = values.pop()
        values.append(Not(right) if word == "!" else Operation(word, values.pop(), right))
    if len(values) != 1:
        raise ExpressionError("two values without an operator" if values else "it is empty")
    # GitLab validates by evaluating once without variables.
    _evaluate(values[0], {})
    return values[0]


def evaluate(expression: Expression, variables: Mapping[str, str]) -> Value:
    """What `expression` comes to; a pattern on its own comes to True."""
    try:
        value = _evaluate(expression, variables)
    except ExpressionError:
        return False
    return True if isinstance(value, Pattern) else value


def holds(expression: Expression, variables: Mapping[str, str]) -> bool:
    """Whether a rule with this `if` matches: null, false and blank strings do not."""
    return _present(evaluate(expression, variables))


def pattern(text: str) -> Pattern | None:
    """`/…/flags` as a pattern, or None where the text is no valid one."""
    source = text.replace(r"\/", "/")
    found = _DELIMITED.search(source)
    if found is None:
        return None
    flags = f"(?{found['flags']})" if found["flags"] else ""
    try:
        return Pattern(text, re2.compile(flags + found["pattern"]))
    except re2.Re2Error:
        return None


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, word), with kind one of open, close, operator, value."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            raise ExpressionError(f"unexpected {text[at : at + 12]!r}")
        at = found.end()
        kind = found.lastgroup or ""
        if kind == "space":
            continue
        known = {"open": "open", "close": "close", "operator": "operator", "not": "operator"}
        tokens.append((known.get(kind, "value"), found[0]))
    if len(tokens) > MAX_TOKENS:
        raise ExpressionError(f"more than {MAX_TOKENS} tokens")
    return tokens


def _reverse_polish(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    output: list[tuple[str, str]] = []
    waiting: list[tuple[str, str]] = []
    for kind, word in tokens:
        if kind == "value":
            output.append((kind, word))
        elif kind == "open" or word == "!":
            waiting.append((kind, word))
        elif kind == "operator":
            while waiting and _PRECEDENCE[word] >= _PRECEDENCE.get(waiting[-1][1], 901):
                output.append(waiting.pop())
            waiting.append((kind, word))
        else:
            while waiting and waiting[-1][0] != "open":
                output.append(waiting.pop())
            if not waiting:
                raise ExpressionError("unmatched parenthesis")
            waiting.pop()
    if any(kind == "open" for kind, _ in waiting):
        raise ExpressionError("unmatched parenthesis")
    return output + waiting[::-1]


def _leaf(word: str) -> Expression:
    if word.startswith("$[["):
        return Literal(None)  # an input that nothing has filled in
    if word.startswith("$"):
        return Variable(word[1:])
    if word[0] in "\"'":
        return Literal(word[1:-1])
    if word.startswith("/"):
        found = pattern(word)
        if found is None:
            raise ExpressionError(f"RE2 does not take {word}")
        return Literal(found)
    return Literal({"null": None, "true": True, "false": False}[word])


def _evaluate(expression: Expression, variables: Mapping[str, str]) -> Value | Pattern:
    match expression:
        case Literal(value):
            return value
        case Variable(name):
            return variables.get(name)
        case Not(operand):
            return not _present(_evaluate(operand, variables))
        case Operation("&&", left, right):
            first = _evaluate(left, variables)
            return first if first is None or first is False else _evaluate(right, variables)
        case Operation("||", left, right):
            first = _evaluate(left, variables)
            return _evaluate(right, variables) if first is None or first is False else first
        case Operation("==" | "!=" as operator, left, right):
            same = _equal(_evaluate(left, variables), _evaluate(right, variables))
            return same == (operator == "==")
        case Operation(operator, left, right):
            matches = _matches(_evaluate(left, variables), _evaluate(right, variables))
            return matches == (operator == "=~")


def _equal(left: Value | Pattern, right: Value | Pattern) -> bool:
    if isinstance(left, Pattern):
        # GitLab compares the sources of the two: anything else has none, and fails.
        if not isinstance(right, Pattern):
            raise ExpressionError("a pattern is compared with == or !=: use =~ or !~")
        return left.source == right.source
    if isinstance(left, bool) or isinstance(right, bool):
        return _text(left) == _text(right)
    return left == right


def _matches(text: Value | Pattern, wanted: Value | Pattern) -> bool:
    if wanted is None or wanted is False:
        return False
    if wanted is True:
        raise ExpressionError("=~ and !~ need a pattern on the right")
    if isinstance(wanted, str):
        # A variable that holds a pattern is one; another string is searched for the text.
        found = pattern(wanted)
        if found is None:
            return _text(text) in wanted
        wanted = found
    return wanted.regex.search(_text(text)) is not None


def _text(value: Value | Pattern) -> str:
    """The value as Ruby prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Pattern):
        return "#<Gitlab::UntrustedRegexp>"
    return value or ""


def _present(value: Value | Pattern) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value not in (None, False)
