"""Small checks that the keywords are described with, and how they combine.

A check looks at one value and reports what is wrong with it; tables of checks are the
description of GitLab's keywords. As in GitLab, a keyword whose value is null counts as absent.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ciforge.gitlab_ci.durations import seconds
from ciforge.gitlab_ci.expressions import ExpressionError, parse, pattern
from ciforge.gitlab_ci.nodes import Map, Position, Seq
from ciforge.lint.finding import Finding

_LONGEST_WORD = 60
MAX_NESTING = 10
"""Levels of lists in scripts, stages and rules."""


class Spot(NamedTuple):
    """Where a value is: its keywords from the job on, its place in the file, its job.

    `open`: an include that nobody read may add keys to the mapping here, as GitLab merges
    mappings key by key. What is missing is no finding then.
    """

    path: str
    at: Position
    job: str | None
    findings: list[Finding]
    open: bool = False

    def inside(self, key: object, at: Position) -> Spot:
        path = f"{self.path}:{key}" if self.path else str(key)
        return self._replace(path=path, at=at)

    def report(self, rule: str, message: str, hint: str) -> None:
        if self.open and rule == "missing":
            return
        text = f"{self.path} {message}" if self.path else message
        self.findings.append(Finding(self.at.file, self.at.line, self.job, rule, text, hint))


Check = Callable[[Any, Spot], None]
Test = Callable[[Any], bool]


def is_blank(value: Any) -> bool:
    """Ruby's `blank?`: nothing, false, empty, or only spaces."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is False or (isinstance(value, list | dict) and not value)


def is_string(value: Any) -> bool:
    return type(value) is str


def is_word(value: Any) -> bool:
    """A string or a symbol."""
    return isinstance(value, str)


def is_integer(value: Any) -> bool:
    return type(value) is int


def is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def is_list_of(test: Test) -> Test:
    return lambda value: isinstance(value, list) and all(test(item) for item in value)


def expect(test: Test, what: str, hint: str = "", rule: str = "wrong-type") -> Check:
    """A check that `test` holds; `what` is "a string", `hint` is made up when empty."""

    def check(value: Any, spot: Spot) -> None:
        if not test(value):
            spot.report(rule, f"should be {what}", hint or _how_to_fix(value, what))

    return check


def _how_to_fix(value: Any, what: str) -> str:
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, bool | int | float)), value)
    if isinstance(value, bool | int | float) and "string" in what:
        shown = str(value).lower() if isinstance(value, bool) else value
        return f'quote the value: "{shown}" is a {type(value).__name__} to YAML without quotes'
    return f"write {what}"


string = expect(is_string, "a string")
boolean = expect(lambda value: isinstance(value, bool), "a boolean value", "write true or false")
strings = expect(is_list_of(is_word), "an array of strings")
strings_or_string = expect(
    lambda value: is_word(value) or is_list_of(is_word)(value), "an array of strings or a string"
)
integers_or_integer = expect(
    lambda value: is_integer(value) or is_list_of(is_integer)(value),
    "an array of integers or an integer",
)
mapping = expect(lambda value: isinstance(value, Map), "a hash")
alphanumeric = expect(is_scalar, "an alphanumeric string")


def both(*checks: Check) -> Check:
    """All checks, up to the first that finds something."""

    def check(value: Any, spot: Spot) -> None:
        before = len(spot.findings)
        for one in checks:
            if len(spot.findings) == before:
                one(value, spot)

    return check


def present(value: Any, spot: Spot) -> None:
    if is_blank(value) and not (spot.open and is_map(value)):
        spot.report("blank", "can't be blank", "write a value, or leave the keyword out")


name = both(string, present)


def one_of(*allowed: str) -> Check:
    known = ", ".join(allowed)

    def check(value: Any, spot: Spot) -> None:
        if not (is_string(value) and value in allowed):
            near = _near(value, allowed)
            spot.report("unknown-value", f"should be one of: {known}", near or f"write {known}")

    return check


def many_of(allowed: Collection[str]) -> Check:
    """A list of words, each one of `allowed`."""

    def check(value: Any, spot: Spot) -> None:
        strings(value, spot)
        if is_list_of(is_word)(value) and (unknown := [w for w in value if w not in allowed]):
            words, known = ", ".join(unknown), ", ".join(sorted(allowed))
            hint = _near(unknown[0], allowed) or f"known are {known}"
            spot.report("unknown-value", f"contains unknown values: {words}", hint)

    return check


def _near(word: Any, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(str(word)[:_LONGEST_WORD], allowed, n=1)
    return f"did you mean {near[0]}?" if near else ""


def shorter(most: int) -> Check:
    def check(value: Any, spot: Spot) -> None:
        if len(value if isinstance(value, str | list) else str(value)) > most:
            unit = "characters" if isinstance(value, str) else "entries"
            spot.report(
                "too-long", f"is too long (maximum is {most} {unit})", "shorten or split it"
            )

    return check


def longer(least: int) -> Check:
    def check(value: Any, spot: Spot) -> None:
        if len(value) < least:
            spot.report("too-short", f"requires at least {least} item", "name one, or leave it out")

    return check


def matching(regex: str, message: str) -> Check:
    compiled = re.compile(regex, re.ASCII)

    def check(value: Any, spot: Spot) -> None:
        if not compiled.fullmatch(value):
            spot.report("bad-format", message, "choose another name")

    return check


_DIGITS = re.compile(r"[+-]?[0-9]{1,9}")


def number(least: int, most: int) -> Check:
    """A whole number; a string of digits counts, as in GitLab."""

    def check(value: Any, spot: Spot) -> None:
        is_whole = is_integer(value) or (is_string(value) and _DIGITS.fullmatch(value))
        if not is_whole:
            spot.report("wrong-type", "must be an integer", f"write a number, {least} to {most}")
        elif not least <= int(value) <= most:
            spot.report("out-of-range", f"must be {least} to {most}", f"write {least} to {most}")

    return check


def duration(most: float | None = None, words: Sequence[str] = ()) -> Check:
    """A duration in words, of `most` seconds; `words` are accepted as they are."""

    def check(value: Any, spot: Spot) -> None:
        if is_string(value) and value.lower() in words:
            return
        found = seconds(value) if is_string(value) else None
        if found is None:
            hint = 'write words in quotes, such as "30 minutes"'
            spot.report("bad-duration", "should be a duration", hint)
        elif most is not None and found > most:
            spot.report("bad-duration", "should not exceed the limit", "write a shorter duration")

    return check


def expression(value: Any, spot: Spot) -> None:
    try:
        parse(value if is_string(value) else "")
    except ExpressionError:
        spot.report(
            "bad-expression",
            "invalid expression syntax",
            'write comparisons such as $A == "b" or $A =~ /^b/, joined by && and ||',
        )


def _is_pattern(value: Any) -> bool:
    return bool(re.search(r"^/.*/[ismU]*$", value, re.MULTILINE))


def regular_expression(value: Any, spot: Spot) -> None:
    if not (is_string(value) and _is_pattern(value) and pattern(value)):
        spot.report(
            "bad-regexp",
            "must be a regular expression with re2 syntax",
            "write /…/ in RE2's syntax: no lookarounds, no backreferences",
        )


def ref(value: Any) -> bool:
    """A word; one that looks like a regular expression must be one."""
    return is_string(value) and (not _is_pattern(value) or pattern(value) is not None)


def nested(test: Test, levels: int = MAX_NESTING) -> Test:
    """A list whose items hold for `test`, or are lists of such, up to `levels` deep."""

    def holds(value: Any, left: int) -> bool:
        if not isinstance(value, list) or left < 1:
            return False
        return all(
            holds(item, left - 1) if isinstance(item, list) else test(item) for item in value
        )

    return lambda value: holds(value, levels)


def each(check: Check) -> Check:
    """`check` on every item of a list that is not null; lists inside are opened."""

    def check_all(value: Any, spot: Spot) -> None:
        if isinstance(value, Seq):
            spot = spot._replace(open=False)  # lists are replaced, not merged
        for index, item in enumerate(value if isinstance(value, Seq) else [value]):
            mark = value.where(index) if isinstance(value, Seq) else spot.at
            if isinstance(item, Seq):
                check_all(item, spot._replace(at=mark))
            elif item is not None:
                check(item, spot._replace(at=mark))

    return check_all


def values(check: Check, *, null_counts: bool = False) -> Check:
    """A mapping, with `check` on every value; `null_counts`: a null is an empty mapping."""

    def check_all(value: Any, spot: Spot) -> None:
        if not isinstance(value, Map):
            mapping(value, spot)
            return
        for key, inner in value.items():
            at = value.where(key)
            if inner is None and null_counts:
                inner = Map(at)
            if inner is not None:
                check(inner, spot.inside(key, at))

    return check_all


def by_type(otherwise: str, *choices: tuple[Test, Check]) -> Check:
    """The check of the first test that holds; `otherwise` says what the value should be."""

    def check(value: Any, spot: Spot) -> None:
        for test, chosen in choices:
            if test(value):
                chosen(value, spot)
                return
        spot.report("wrong-type", f"should be {otherwise}", _how_to_fix(value, otherwise))

    return check


def is_map(value: Any) -> bool:
    return isinstance(value, Map)


def is_seq(value: Any) -> bool:
    return isinstance(value, Seq)


def anything(_value: Any, _spot: Spot) -> None:
    """A value that GitLab does not look at."""


def record(
    fields: Mapping[str, Check],
    *,
    required: Collection[str] = (),
    named: Collection[str] = (),
    not_together: Sequence[Collection[str]] = (),
    exactly_one: Collection[str] = (),
    also: Check = anything,
    paid: Collection[str] = (),
) -> Check:
    """A mapping of known keywords.

    `required` ones must have a value, `named` ones must stand there; of each `not_together` only
    one may be named, of `exactly_one` just one; `also` looks at the whole; `paid` are keywords of
    paid tiers, unknown to GitLab Free.
    """

    def check(value: Any, spot: Spot) -> None:
        if not isinstance(value, Map):
            mapping(value, spot)
            return
        _unknown_keys(value, fields, paid, spot)
        for key in (*required, *named):
            if value.get(key) is None and (key in required or key not in value):
                at = value.where(key)
                spot.inside(key, at).report("missing", "can't be blank", f"write `{key}`")
        for keys in not_together:
            if len(both_named := [key for key in keys if key in value]) > 1:
                words = ", ".join(both_named)
                spot._replace(at=value.where(both_named[1])).report(
                    "exclusive-keys", f"these keys cannot be used together: {words}", "keep one"
                )
        named_ones = sum(key in value for key in exactly_one)
        if exactly_one and named_ones != 1 and not (spot.open and not named_ones):
            words = ", ".join(exactly_one)
            spot.report(
                "exclusive-keys", f"must use exactly one of these keys: {words}", "keep one"
            )
        for key, inner in value.items():
            if inner is not None and key in fields:
                fields[key](inner, spot.inside(key, value.where(key)))
        also(value, spot)

    return check


def _unknown_keys(
    value: Map, fields: Mapping[str, Check], paid: Collection[str], spot: Spot
) -> None:
    for key in value:
        if key in fields:
            continue
        hint = _near(key, fields) or f"allowed are {', '.join(sorted(fields))}"
        if key in paid:
            hint = "only GitLab Premium or Ultimate knows it"
        spot._replace(at=value.where(key)).report(
            "unknown-key", f"contains an unknown key: {key}", hint
        )
