"""Rule expressions: what GitLab takes, and what they come to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciforge.gitlab_ci.expressions import ExpressionError, evaluate, holds, parse

VARIABLES = {
    "WORD": "some word",
    "PATH": "/a/b/c",
    "EMPTY": "",
    "BLANK": "  ",
    "PATTERN": "/^some/",
    "BAD_PATTERN": "/some(/",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$WORD", "some word"),
        ("$UNSET", None),
        ("$EMPTY", ""),
        ('$WORD == "some word"', True),
        ("'some word' == $WORD", True),
        ("$WORD == null", False),
        ("$UNSET == null", True),
        ("$EMPTY == null", False),
        ('$EMPTY == ""', True),
        ('$UNSET != ""', True),
        ("$WORD =~ /^some/", True),
        ("$WORD =~ /SOME/", False),
        ("$WORD =~ /SOME/i", True),
        ("$WORD !~ /^word/", True),
        ("$UNSET =~ /.*/", True),
        ("$UNSET =~ /..*/", False),
        (r"$PATH =~ /^\/a\/b/", True),
        ("$WORD =~ $PATTERN", True),
        ("$WORD !~ $PATTERN", False),
        ("$WORD =~ $UNSET", False),
        ("$WORD !~ $UNSET", True),
        # A text on the right that is no pattern is searched for the left side.
        ('$EMPTY =~ "x"', True),
        ('$UNSET =~ "x"', True),
        ('$WORD =~ "x"', False),
        ("$WORD =~ $BAD_PATTERN", False),
        # An empty text is true within an expression, as in Ruby.
        ("$EMPTY && $WORD", "some word"),
        ("$EMPTY || $WORD", ""),
        ("$UNSET && $WORD", None),
        ("$UNSET || $WORD", "some word"),
        ("$WORD || $UNSET && $UNSET", "some word"),
        ("($WORD || $UNSET) && $UNSET", None),
        ("!$UNSET", True),
        ("!$WORD", False),
        ("!!$WORD", True),
        ('!$WORD == "some word"', False),
        ("!($WORD == null) && $WORD", "some word"),
        ("true", True),
        ('"true" == true', True),
        ("/ab/", True),
        # What the shunting-yard algorithm lets through.
        ('$WORD "some word" ==', True),
        ("$WORD ()", "some word"),
    ],
)
def test_value(text: str, value: bool | str | None) -> None:
    assert evaluate(parse(text), VARIABLES) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "()",
        "($A",
        "$A)",
        "main",
        "CI_COMMIT_BRANCH == 'main'",
        "$A = 'x'",
        "$A ==",
        "== $A",
        "$A $B",
        "&& $A",
        "$A & $B",
        "$A == 'x\"",
        "$A in ['x']",
        "${A}",
        "${{ github.ref }}",
        "nullable",
        "$A =~ /x/",
        "$A =~ /./",
        "$A =~ //",
        "$A =~ /aa/bb/",
        "$A =~ /aa",
        "$A =~ /(aa/",
        "$A =~ /(?!xx)yy/",
        "$A =~ /(?<=xx)yy/",
        r"$A =~ /(aa)\1/",
        "$A =~ /aa**/",
        "$A =~ /aa/x",
        "$A =~ true",
        "/aa/ == $A",
        " && ".join(["$A"] * 51),
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "$A =~ /[x]/",
        "$A=~/aa/&&$B",
        "$A == /aa/",
        "$A =~ /(?i)aa/",
        r"$A =~ /\p{Greek}\d[[:alpha:]]/",
        "$A == 'it is \"so\"'",
        "$[[ inputs.a ]] == 'x'",
        " && ".join(["$A"] * 50),
    ],
)
def test_taken(text: str) -> None:
    parse(text)


def test_a_rule_holds_unless_the_value_is_blank() -> None:
    assert [holds(parse(t), VARIABLES) for t in ("$WORD", "$EMPTY", "$BLANK", "$UNSET")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_variable_that_is_no_operand_at_validation_may_be_one_later() -> None:
    expression = parse("$A =~ ($B == 'x')")
    assert evaluate(expression, {}) is False
    assert evaluate(expression, {"A": "y", "B": "x"}) is False


_WORDS = st.sampled_from(
    ["$A", "$B", "'x'", '"y"', "null", "/ab/", "==", "!=", "=~", "!~", "&&", "||", "!", "(", ")"]
)


@settings(max_examples=150)
@given(st.lists(_WORDS, max_size=9).map(" ".join) | st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError:
        return
    for variables in ({}, {"A": "x", "B": "/x/"}, {"A": "ab", "B": "/a(/"}):
        assert isinstance(holds(expression, variables), bool)
