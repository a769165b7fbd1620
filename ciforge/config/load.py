"""ciforge.yaml → `Config`, and every problem in it at once, by line and key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, get_args

import msgspec
from msgspec import inspect

from ciforge.config.delivery import ImageTag, JobName, Pipeline
from ciforge.config.model import Config, Image, Service
from ciforge.config.positions import Node, Path, Problem, dotted, read_yaml, shown
from ciforge.config.words import Name, Platform, RelativePath
from ciforge.errors import InputError

_MAX_SHOWN = 20
_MAX_COMPARED = 100
# Counts of tokens and tokenizers (MAX_TOKENS, TOKENIZER_PATH) are no secrets.
_SECRET = re.compile(r"TOKEN(?!S|IZ)|PASSWORD|SECRET|PRIVATE_KEY", re.IGNORECASE)
_PUBLIC = "NEXT_PUBLIC_"
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "y", "1"), "true"),
    **dict.fromkeys(("false", "no", "off", "n", "0"), "false"),
}
# What a value of each pattern is, in the model's words.
_RULES = {
    meta.pattern: meta.description
    for _, meta in map(get_args, (Name, Platform, RelativePath, JobName, ImageTag))
}


def parse_config(text: str | bytes, name: str) -> Config:
    """The configuration in a YAML text; an empty text is `Config()`.

    A section, mapping or list with nothing after its key (`services:`) counts as absent, and
    a service, suite or environment with nothing after its name has the defaults; any other
    value must be there. `name` is the file's name in errors.

    Raises InputError for the first problem, with `name:line:column` as `where`. The other
    problems are further lines of `hint`, since all of them can be fixed in one edit. The rules
    on types and words are those of `ciforge.config.model`; beyond them a service with a ready
    `image` builds nothing, build arguments hold no secrets (they stay readable in the image:
    https://docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env/), no platform
    comes twice, and a smoke suite names services.
    """
    node, problems = read_yaml(text, name)
    if node is None:
        return Config()
    checker = _Checker(problems)
    plain = checker.value(node, _model(), ())
    config = Config()
    if not problems:
        try:
            config = msgspec.convert(plain, Config, strict=True)
        except msgspec.ValidationError as error:  # a rule of the model that _Checker lacks
            raise InputError(str(error), where=name) from error
        problems += [
            Problem(node.find(path), f"{dotted(path)}: {message}", hint)
            for path, message, hint in _contradictions(config)
        ]
    if problems:
        raise _error(problems, name)
    return config


@cache
def _model() -> inspect.Type:
    return inspect.type_info(Config)


def _error(problems: list[Problem], name: str) -> InputError:
    # One per place, as an alias brings its problem once per use.
    unique = {each.place: each for each in reversed(problems)}
    first, *others = sorted(unique.values(), key=lambda each: each.place)
    lines = [first.hint] if first.hint else []
    if others:
        lines.append(f"{len(others)} more problem{'s' if len(others) > 1 else ''}:")
    for each in others[:_MAX_SHOWN]:
        line = f"  {name}:{each.place[0]}:{each.place[1]}: {each.message}"
        lines.append(f"{line}; {each.hint}" if each.hint else line)
    if len(others) > _MAX_SHOWN:
        lines.append(f"  and {len(others) - _MAX_SHOWN} more")
    where = f"{name}:{first.place[0]}:{first.place[1]}"
    return InputError(first.message, where=where, hint="\n".join(lines) or None)


class _Checker:
    """Walks values and types together, as msgspec's own errors have no dictionary keys."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def wrong(self, node: Node, path: Path, expected: str, hint: str | None = None) -> None:
        where = f"{dotted(path)}: " if path else ""
        if node.value is None:
            hint = hint or "remove it for the default"
        got = "a secret" if _is_secret(path) and node.source else node.described()
        message = f"{where}expected {expected}, got {got}"
        self.problems.append(Problem(node.place, message, hint))

    def nearest(self, word: str, words: Iterable[object]) -> str | None:
        if len(self.problems) > _MAX_COMPARED:
            return None
        close = difflib.get_close_matches(word.lower(), list(map(str, words)), 1)
        return f"did you mean '{close[0]}'?" if close else None

    def value(self, node: Node, type_: inspect.Type, path: Path) -> Any:
        """The plain value of `node`, whose problems are noted."""
        value = node.value
        match type_:
            case inspect.Metadata():
                return self.value(node, type_.type, path)
            case inspect.UnionType(types=types):
                inner = next(each for each in types if not isinstance(each, inspect.NoneType))
                return None if value is None else self.value(node, inner, path)
            case inspect.StructType() | inspect.DictType() if not isinstance(value, dict | None):
                self.wrong(node, path, "a mapping", "write 'key: value' lines below it")
            case inspect.StructType():
                return self.section(node, type_, path)
            case inspect.DictType():
                return self.names(node, type_, path)
            case inspect.VarTupleType():
                return self.items(node, type_, path)
            case inspect.LiteralType(values=values) if value not in values:
                hint = self.nearest(value, values) if isinstance(value, str) else None
                self.wrong(node, path, " or ".join(map(str, values)), hint)
            case inspect.StrType():
                self.string(node, type_, path)
            case inspect.IntType(ge=low, le=high):
                if type(value) is not int or not _within(value, low, high):
                    number = isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value)
                    hint = f"write it without quotes: {value}" if number else None
                    span = f"the integer {low}" if low == high else f"an integer {low} to {high}"
                    self.wrong(node, path, span, hint)
            case inspect.AnyType():
                return self.anything(node, path)
            case inspect.BoolType() if not isinstance(value, bool):
                word = _BOOLEANS.get(str(value).lower())
                self.wrong(node, path, "true or false", f"write {word}" if word else None)
        return value

    def section(self, node: Node, type_: inspect.StructType, path: Path) -> dict[str, Any]:
        fields = {each.encode_name: each.type for each in type_.fields}
        plain = {}
        for key, child in node.entries.items():
            below = (*path, key)
            if key not in fields:
                message = f"{dotted(below)}: unknown key, expected one of: {', '.join(fields)}"
                hint = self.nearest(key, fields)
                self.problems.append(Problem(node.keys[key], message, hint))
            elif child.value is not None or not _is_container(fields[key]):
                plain[key] = self.value(child, fields[key], below)
        return plain

    def anything(self, node: Node, path: Path) -> Any:
        """GitLab's own words, whatever they are; only what plan.json can't hold is wrong."""
        value = node.value
        if isinstance(value, dict):
            return {key: self.anything(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.anything(each, (*path, i)) for i, each in enumerate(value)]
        if isinstance(value, int | float) and not -(2**53) < value < 2**53:
            self.wrong(node, path, "a number below 2^53", "quote it")
        return value

    def names(self, node: Node, type_: inspect.DictType, path: Path) -> dict[str, Any]:
        plain = {}
        for key, child in node.entries.items():
            below = (*path, key)
            self.value(Node(key, node.keys[key]), type_.key_type, below)
            plain[key] = self.value(child, type_.value_type, below)
        return plain

    def items(self, node: Node, type_: inspect.VarTupleType, path: Path) -> list[Any] | None:
        if not isinstance(node.value, list):
            text = node.value if isinstance(node.value, str) else None
            self.wrong(node, path, "a list", f"write [{shown(text)}]" if text else None)
            return None
        count = len(node.value)
        if not _within(count, type_.min_length, type_.max_length):
            limit = f"at least {type_.min_length}" if not count else f"at most {type_.max_length}"
            message = f"{dotted(path)}: expected {limit} in the list, got {count or 'none'}"
            self.problems.append(Problem(node.place, message))
        return [
            self.value(item, type_.item_type, (*path, index))
            for index, item in enumerate(node.value)
        ]

    def string(self, node: Node, type_: inspect.StrType, path: Path) -> None:
        text = node.value
        if not isinstance(text, str):
            hint = "quote it" if _is_secret(path) else f"quote it: {shown(node.source)}"
            if text is None:
                hint = 'remove it, or write "" for an empty text'
            elif isinstance(text, dict | list):
                hint = "quote a text that holds ': ' or begins with '{' or '['"
            self.wrong(node, path, "a string", hint)
        elif not _within(len(text), None, type_.max_length):
            self.wrong(node, path, f"at most {type_.max_length} characters")
        elif not re.search(type_.pattern or "", text):
            lower = re.search(type_.pattern or "", text.lower())
            rule = _RULES.get(type_.pattern, f"a match of {type_.pattern}")
            self.wrong(node, path, rule, f"did you mean '{text.lower()}'?" if lower else None)


def _within(number: int, low: int | None, high: int | None) -> bool:
    return (low is None or low <= number) and (high is None or number <= high)


def _is_container(type_: inspect.Type) -> bool:
    type_ = type_.type if isinstance(type_, inspect.Metadata) else type_
    return isinstance(type_, inspect.StructType | inspect.DictType | inspect.VarTupleType)


def _is_secret(path: Path) -> bool:
    key = str(path[-1]) if path[-2:-1] == ("build_args",) else ""
    return bool(_SECRET.search(key)) and not key.startswith(_PUBLIC)


def _contradictions(config: Config) -> Iterator[tuple[Path, str, str]]:
    builds: list[tuple[Path, Image | Service]] = [(("image",), config.image)]
    builds += [(("services", name), each) for name, each in config.services.items()]
    for path, build in builds:
        for key in build.build_args:
            if _is_secret(below := (*path, "build_args", key)):
                yield (
                    below,
                    "expected no secret, since build arguments stay readable in the image",
                    f"use a BuildKit secret: RUN --mount=type=secret,id={key}",
                )
        platforms = build.platforms or ()
        for index, platform in enumerate(platforms):
            if platform in platforms[:index]:
                message = f"expected each platform once, got {platform} again"
                yield (*path, "platforms", index), message, "remove it"
        if isinstance(build, Service) and build.image is not None:
            for key in ("projects", "dockerfile", "build_args"):
                if getattr(build, key):
                    message = f"expected no {key} beside 'image', which is never built"
                    yield (*path, key), message, "remove one of the two"
    yield from _pipeline(config.pipeline)
    for name, suite in config.smoke.items():
        for index, pattern in enumerate(suite.services):
            path = ("smoke", name, "services", index)
            if not pattern.strip():
                yield path, f"expected a service or a glob, got {shown(pattern)}", "remove it"
            elif not config.detection.enabled and not any(
                fnmatchcase(service, pattern) for service in config.services
            ):
                close = difflib.get_close_matches(pattern, config.services, 1)
                hint = f"did you mean '{close[0]}'?" if close else "list it in 'services'"
                message = f"expected a name or glob of 'services', got {shown(pattern)}"
                yield path, f"{message} (detection is off)", hint


def _pipeline(pipeline: Pipeline) -> Iterator[tuple[Path, str, str]]:
    jobs: list[tuple[Path, Any]] = [(("pipeline", "defaults"), pipeline.defaults)]
    for section in ("jobs", "extra_jobs"):
        named = getattr(pipeline, section)
        jobs += [(("pipeline", section, name), job) for name, job in named.items()]
    for path, job in jobs:
        variables = job.get("variables")
        for name, value in variables.items() if isinstance(variables, dict) else ():
            text = value.get("value") if isinstance(value, dict) else value
            if _SECRET.search(name) and isinstance(text, str) and text and "$" not in text:
                message = "expected no secret, since it would stand in the pipeline's YAML"
                hint = f"set {name} in GitLab's settings (CI/CD variables, masked)"
                yield (*path, "variables", name), message, hint
    for index, name in enumerate(pipeline.gates):
        if name not in pipeline.extra_jobs:
            close = difflib.get_close_matches(name, pipeline.extra_jobs, 1)
            hint = f"did you mean '{close[0]}'?" if close else "define it there"
            message = f"expected a job of pipeline.extra_jobs, got {shown(name)}"
            yield ("pipeline", "gates", index), message, hint
