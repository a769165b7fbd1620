"""`spec: inputs` and the `$[[ inputs.name | function ]]` that take their values.

Source: lib/gitlab/ci/config/header and lib/gitlab/ci/config/interpolation in GitLab's code.
Without a header nothing is interpolated: `$[[ … ]]` is text there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ciforge.gitlab_ci import re2
from ciforge.gitlab_ci.expressions import ExpressionError, holds, parse
from ciforge.gitlab_ci.nodes import Map, Position, Refused, Seq

MAX_OPTIONS = 50
MAX_FUNCTIONS = 3
_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
}
_JOB_KEYS = ("default", "description", "options", "regex", "type")
_KEYS = (*_JOB_KEYS, "rules")
_RULE_KEYS = ("if", "options", "default")
_COMPONENT = ("name", "sha", "version", "reference")
_BLOCK = re.compile(r"\$\[\[\s*(?P<data>\S.*?\S)\s*\]\]")
_TRUNCATE = re.compile(r"truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_\-.,:+/@\n]")


def interpolate(content: Map, header: Map, given: Mapping[str, Any]) -> Map:
    """`content` with the inputs that `header` specifies put in; `given` are their values.

    Raises Refused for a wrong header, a wrong or missing value, and an unknown input.
    """
    specs = _specifications(header)
    if unknown := [str(key) for key in given if key not in specs]:
        names = ", ".join(unknown)
        raise Refused(
            "inputs-unknown",
            f"unknown input arguments: {names}",
            header.at,
            "give only inputs that the file's `spec` names",
        )
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        values[name] = _value(name, spec, given, {**values, **given}, header.where("spec"))
    replaced: Map = _Interpolation(values).inside(content, content.at)
    return replaced


def _wrong(message: str, at: Position, hint: str = "mend the `spec` header") -> Refused:
    return Refused("spec-invalid", message, at, hint)


def _specifications(header: Map) -> Mapping[str, Any]:
    """The header's inputs by name, each with its specification or None."""
    _only(header, ("spec",), "header", header.at)
    spec = header["spec"]
    if spec is None:
        return {}
    if not isinstance(spec, Map):
        raise _wrong("header:spec should be a hash", header.where("spec"))
    _only(spec, ("inputs", "include", "component"), "header:spec", spec.at)
    _check_component(spec)
    inputs = spec.get("inputs")
    if inputs is None:
        return {}
    if not isinstance(inputs, Map):
        raise _wrong("header:spec:inputs should be a hash", spec.where("inputs"))
    for name, value in inputs.items():
        _check_input(name, value, inputs.where(name), f"header:spec:inputs:{name}")
    return inputs


def check_job_input(name: Any, spec: Any, at: Position) -> None:
    """One of a job's own `inputs` (GitLab 18.10 and newer): specified as in a header, but always
    with a default, and without rules.

    Raises Refused for what is wrong with it.
    """
    where = f"inputs:{name}"
    if spec is not None:
        _check_input(name, spec, at, where)
        _only(spec, _JOB_KEYS, where, at)
    if spec is None or spec.get("default") is None:
        raise _wrong(f"{where} must have a default value", at, "write its `default`")
    _value(name, spec, {}, {}, at)


def _only(value: Map, allowed: tuple[str, ...], where: str, at: Position) -> None:
    if unknown := [str(key) for key in value if key not in allowed]:
        names, known = ", ".join(unknown), ", ".join(allowed)
        raise _wrong(f"{where} contains unknown keys: {names}", at, f"allowed are {known}")


def _check_component(spec: Map) -> None:
    component = spec.get("component")
    if component is None:
        return
    at = spec.where("component")
    if not isinstance(component, Seq) or not all(isinstance(word, str) for word in component):
        raise _wrong("header:spec:component should be an array of strings", at)
    if unknown := [word for word in component if word not in _COMPONENT]:
        names = ", ".join(unknown)
        raise _wrong(f"header:spec:component contains unknown values: {names}", at)


def _check_input(name: Any, value: Any, at: Position, where: str) -> None:
    if value is None:
        return
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise _wrong(f"{where} key must be an alphanumeric string", at)
    if not isinstance(value, Map):
        raise _wrong(f"{where} should be a hash", at)
    _only(value, _KEYS, where, at)
    for other in ("options", "default"):
        if "rules" in value and other in value:
            raise _wrong(f"{where}: rules and {other} cannot be used together", at)
    description, kind, options = (value.get(key) for key in ("description", "type", "options"))
    if not (description is None or type(description) in (str, int)):
        raise _wrong(f"{where} description must be an alphanumeric string", at)
    if not (value.get("regex") is None or type(value["regex"]) is str):
        raise _wrong(f"{where} regex should be a string", at)
    if "type" in value and str(kind) not in _TYPES:
        known = ", ".join(_TYPES)
        raise _wrong(f"{where} type unknown value: {kind}", at, f"types are {known}")
    _check_options(options, where, at)
    _check_rules(value.get("rules"), where, at)


def _check_options(options: Any, where: str, at: Position) -> None:
    if options is None:
        return
    if not isinstance(options, Seq):
        raise _wrong(f"{where} options should be an array", at)
    if len(options) > MAX_OPTIONS:
        raise _wrong(f"{where} cannot define more than {MAX_OPTIONS} options", at)
    if any(option is None for option in options):
        raise _wrong(f"{where} options array cannot contain null values", at)


def _check_rules(rules: Any, where: str, at: Position) -> None:
    if rules is None:
        return
    if not isinstance(rules, Seq):
        raise _wrong(f"{where}:rules should be an array", at)
    for rule in rules:
        if not isinstance(rule, Map) or not rule:
            raise _wrong(f"{where}:rules: a rule should be a hash", at)
        _only(rule, _RULE_KEYS, f"{where}:rules", rule.at)
        condition, options = rule.get("if"), rule.get("options")
        if not (condition is None or type(condition) is str):
            raise _wrong(f"{where}:rules if should be a string", rule.at)
        _check_options(options, f"{where}:rules", rule.at)
        if condition is None and options is None:
            raise _wrong(f"{where}: a fallback rule must define `options`", rule.at)
        if condition is not None and options is None and "default" not in rule:
            raise _wrong(f"{where}: a rule with `if` must define `options` or `default`", rule.at)


def _value(
    name: str, spec: Any, given: Mapping[str, Any], known: Mapping[str, Any], at: Position
) -> Any:
    """The value of one input, checked as the default is."""
    spec = spec or {}
    at = spec.at if isinstance(spec, Map) else at

    def refused(problem: str) -> Refused:
        return Refused(
            "inputs-value", f"`{name}` input: {problem}", at, "mend the value or the `spec`"
        )

    rule = _matching_rule(spec.get("rules"), known)
    has_default = "default" in spec or (rule is not None and "default" in rule)
    default = spec.get("default", rule.get("default") if rule else None)
    value = given.get(name)
    if value is None and not has_default:
        raise refused("required value has not been provided")
    options = rule.get("options") if rule else spec.get("options")
    kind = str(spec.get("type") or "string")
    if has_default:
        default = _coerced(default, kind)
        _check_value(spec, default, "default", options, refused)
    if value is None:
        return default
    value = _coerced(value, kind)
    _check_value(spec, value, "provided", options, refused)
    return value


def _coerced(value: Any, kind: str) -> Any:
    """A string takes any value, as text; the other types take a text that is their JSON."""
    if kind == "string":
        return _as_text(value)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _matching_rule(rules: Any, known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for rule in rules or ():
        condition = rule.get("if")
        if condition is None or _condition_holds(condition, known):
            matched: Mapping[str, Any] = rule
            return matched
    return None


def _condition_holds(condition: str, known: Mapping[str, Any]) -> bool:
    """A condition asks inputs (`$[[ inputs.name ]]`); each stands in as a variable."""
    variables: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        data = match["data"].removeprefix("inputs.")
        variable = "INPUT_" + re.sub(r"\W", "_", data)
        if (value := known.get(data)) is not None:
            variables[variable] = _as_text(value)
        return f"${variable}"

    try:
        return holds(parse(_BLOCK.sub(name, condition)), variables)
    except ExpressionError:
        return False


def _check_value(
    spec: Mapping[str, Any],
    value: Any,
    which: str,
    options: Any,
    refused: Callable[[str], Refused],
) -> None:
    kind = str(spec.get("type") or "string")
    if not _TYPES[kind](value):
        article = "an" if kind == "array" else "a"
        raise refused(f"{which} value is not {article} {kind}")
    if options is not None:
        if kind == "boolean":
            raise refused("options can only be used with string, number and array inputs")
        known = [_as_text(option) for option in options] if kind == "string" else options
        for item in value if kind == "array" else [value]:
            if item not in known:
                raise refused(
                    f"`{item}` cannot be used because it is not in the list of allowed options"
                )
    if (pattern := spec.get("regex")) is None:
        return
    if kind != "string":
        raise refused("RegEx validation can only be used with string inputs")
    try:
        matches = re2.compile(pattern).search(value)
    except re2.Re2Error:
        raise refused("invalid regular expression") from None
    if not matches:
        raise refused(f"{which} value does not match required RegEx pattern")


def _as_text(value: Any) -> str:
    """A value inside a text, as Ruby prints it."""
    if value is None:
        return ""
    if isinstance(value, bool | list):
        return json.dumps(value)
    return str(value)


class _Interpolation:
    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs = inputs

    def inside(self, value: Any, at: Position) -> Any:
        if isinstance(value, Map):
            replaced = Map(value.at)
            for key, inner in value.items():
                mark = value.where(key)
                new = self._text(key, mark) if isinstance(key, str) else key
                new = str(new) if isinstance(new, list) else new
                replaced.put(new, self.inside(inner, mark), mark)
            return replaced
        if isinstance(value, Seq):
            items = Seq(value.at)
            for index, inner in enumerate(value):
                items.put(self.inside(inner, value.where(index)), value.where(index))
            return items
        return self._text(value, at) if isinstance(value, str) else value

    def _text(self, text: str, at: Position) -> Any:
        if "$[[" not in text:
            return text
        whole = _BLOCK.fullmatch(text)
        if whole is not None and "]]" not in whole["data"]:
            return self._block(whole, at)
        return _BLOCK.sub(lambda match: _as_text(self._block(match, at)), text)

    def _block(self, match: re.Match[str], at: Position) -> Any:
        access, *functions = (part.strip() for part in match["data"].split("|"))
        if access.split(".")[0] == "matrix":
            return match[0]

        def refused(problem: str) -> Refused:
            return Refused(
                "interpolation",
                f"{match[0]}: {problem}",
                at,
                "write $[[ inputs.name ]], with expand_vars, truncate(0, 5) or posix_escape "
                "behind a `|`",
            )

        value = self._accessed(access, refused)
        if len(functions) > MAX_FUNCTIONS:
            raise refused("too many functions in interpolation block")
        for function in functions:
            value = _applied(function, value, refused)
        return value

    def _accessed(self, access: str, refused: Callable[[str], Refused]) -> Any:
        words = access.split(".", 4)
        if len(words) <= 1:
            raise refused("invalid interpolation access pattern")
        value: Any = {"inputs": self._inputs, "component": {}}
        for word in words:
            if not isinstance(value, Mapping) or word not in value:
                raise refused(f"unknown interpolation key: `{word}`")
            value = value[word]
        return value


def _applied(function: str, value: Any, refused: Callable[[str], Refused]) -> Any:
    cut = _TRUNCATE.fullmatch(function)
    if cut is None and function not in ("expand_vars", "posix_escape"):
        raise refused(f"no function matching `{function}`")
    if not isinstance(value, str):
        raise refused(f"invalid input type: {function} can only be used with string inputs")
    if cut is not None:
        start = int(cut[1])
        return value[start : start + int(cut[2])]
    if function == "posix_escape":
        return _UNSAFE.sub(r"\\\g<0>", value).replace("\n", "'\n'") or "''"
    return value
