"""Fills help texts and schemas into the reference pages while they are built.

`<!-- ciforge-help: plan -->` becomes what `ciforge plan --help` prints, and
`<!-- ciforge-schema: config -->` tables of all keys. Both come from ciforge itself, so that
the pages can't go out of date.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ciforge.cli.main import COMMANDS, run
from ciforge.config.schema import config_schema
from ciforge.deploy.model import Deployment
from ciforge.plan.model import plan_schema
from ciforge.results.model import Images, Smoke, result_schema

_WIDTH = "90"
_MARKER = re.compile(r"<!-- ciforge-(help|commands|schema):? ?(\w*) -->")

# Where the schema has no description of a field, or one that says too little.
_MORE = {
    "BuiltImage.action": "whether it was built now, or the registry held it",
    "BuiltImage.service": "its name in the plan",
    "Deployment.version": "of this file's format",
    "Deployment.ciforge": "the version that wrote it",
    "Deployment.environment": "of ciforge.yaml",
    "Deployment.release": "name of the Helm release",
    "Deployment.outcome": "what came of it",
    "Deployment.reason": "in words, with Helm's own",
    "Deployment.services": "of each service the digest before and the new one",
    "Deployment.warnings": "what was let through",
    "Deployment.seconds": "how long the whole took",
    "Change.service": "its name in the plan",
    "Trouble.pod": "its name; of a ReplicaSet when it could make no pod",
    "Trouble.container": "empty: the pod as a whole",
    "Trouble.reasons": "as Kubernetes calls them, the first came first",
    "Trouble.message": "Kubernetes' words",
    "Trouble.exit_code": "of the container's last end",
    "Trouble.restarts": "of the container",
    "Trouble.log": "its last lines",
    "Trouble.events": "the pod's warnings",
    "Check.outcome": "what came of it",
    "Check.message": "what was wrong, a sentence for people",
    "Check.seconds": "how long the answer took",
    "Config.helm": "the chart, for every environment",
    "Config.pipeline": "the generated child pipeline",
    "Images.ciforge": "the version that wrote it",
    "Images.commit": "what was built; null without a commit",
    "Images.images": "one entry per image of ours, sorted by name",
    "Images.pushed": "false: they are in the engine alone",
    "Images.version": "of this format",
    "Smoke.ciforge": "the version that wrote it",
    "Smoke.suites": "one entry per suite that was asked for",
    "Smoke.version": "of this format",
    "SuiteResult.checks": "its questions, in the order in which they were asked",
    "SuiteResult.images": "what was under test",
    "SuiteResult.seconds": "from start to verdict",
    "SuiteResult.suite": "its name in the plan",
    "SuiteResult.verdict": "`not run` is no green: the gate refuses it, unless told otherwise",
    "TestedImage.service": "its name in the plan",
    "TestedImage.digest": "null while it was not pushed",
    "ServicePlan.port": "where it listens inside its container",
    "Counts.build": "services to build",
    "Counts.reuse": "services whose image is reused",
    "Counts.unaffected": "services that nothing changed for",
    "DeployPlan.environment": "its name in ciforge.yaml",
    "DeployPlan.reason": "a sentence for people",
    "DeployPlan.run": "whether anything is to be deployed there",
    "DeployPlan.auto_stop_in": "time after which a review is stopped",
    "DeployPlan.tier": "GitLab's deployment_tier",
    "DeployPlan.url": "shown by GitLab",
    "DeployPlan.when": "`auto`: at once after green smoke suites; `manual`: on a click",
    "Environment.namespace": "the Kubernetes namespace",
    "GpuRunner.resource_group": "its jobs run one at a time in all pipelines",
    "Image.platforms": "platforms of every image",
    "InputChange.change": "what happened to it since the base",
    "Plan.base": "what it was compared with",
    "Plan.counts": "services by action",
    "Plan.deploys": "one entry per environment, in the order of promotion",
    "Plan.head": "what was planned",
    "Plan.registry": "whether the registry was asked",
    "Plan.services": "one entry per image, sorted by name",
    "Plan.smoke": "one entry per smoke suite, sorted by name",
    "Plan.version": "of this format",
    "Plan.warnings": "what a person should know, one sentence each",
    "PlanBase.reason": "a sentence for people",
    "RegistryAnswer.host": "host of the registry; null: none is configured",
    "RegistryAnswer.prefix": "path between host and service",
    "Pipeline.jobs": "GitLab keywords by job name or glob (`smoke *`): mappings are merged, other "
    "values replaced, null removes",
    "Plan.pipeline": "as in ciforge.yaml",
    "Plan.runners": "as in ciforge.yaml",
    "Runners.default": "the runner of all that the others don't name",
    "Runners.build": "the runner of builds",
    "Runners.smoke": "the runner of smoke suites without a GPU",
    "Runners.gpu": "the runner of what needs a GPU",
    "Runners.deploy": "the runner of deploys",
    "Config.detection": "which projects become images on their own",
    "Config.image": "defaults of every image",
    "Config.registry": "where images are kept",
    "Config.runners": "GitLab runners, and what they have",
    "Config.services": "images, by name",
    "Service.build_args": "added to `image.build_args`; the same name wins here",
    "Service.build_target": "in place of `image.build_target`",
    "Service.dockerfile": "in place of the project's own Dockerfile or `image.dockerfile`",
    "Service.platforms": "in place of `image.platforms`",
    "Service.salt": "change it to rebuild this image once",
    "ServicePlan.action": "what is to happen to its image",
    "ServicePlan.build_args": "what a build gets, `SERVICE` included when the Dockerfile asks",
    "ServicePlan.dockerfile": "path from the workspace; null for a ready image",
    "ServicePlan.gpu": "its smoke suite and deploy need a GPU",
    "ServicePlan.input_changes_total": "how many there are in all",
    "ServicePlan.name": "its name, the last part of its repository",
    "ServicePlan.platforms": "platforms to build for",
    "ServicePlan.reason": "why this action, a sentence for people",
    "SmokePlan.compose": "Compose files",
    "SmokePlan.gpu": "runs on the GPU runner",
    "SmokePlan.reason": "a sentence for people",
    "SmokePlan.run": "whether it is to run",
    "SmokePlan.runner_tags": "tags of the runner that it needs",
    "SmokePlan.services": "all services under test",
    "SmokePlan.suite": "its name in ciforge.yaml, else `default` or `gpu`",
    "Suite.compose": "Compose files, later ones win",
}


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page with every marker filled in (an event of mkdocs)."""
    return _MARKER.sub(_filled, markdown)


def _filled(match: re.Match[str]) -> str:
    kind, argument = match.groups()
    if kind == "help":
        return _help(argument)
    if kind == "commands":
        return "\n".join(
            f"- [`ciforge {name}`](#{name}): {says}" for name, says in COMMANDS.items()
        )
    config = config_schema()
    schemas: dict[str, dict[str, Any]] = {
        "config": {"Config": config, **config["$defs"]},
        "plan": json.loads(json.dumps(plan_schema()["$defs"])),
        "images": json.loads(json.dumps(result_schema(Images)["$defs"])),
        "deployment": json.loads(json.dumps(result_schema(Deployment)["$defs"])),
        "smoke": json.loads(json.dumps(result_schema(Smoke)["$defs"])),
    }
    known = {f"{name}.{key}" for s in schemas.values() for name in s for key in _fields(s[name])}
    if stale := _MORE.keys() - known:
        raise ValueError(f"docs/hooks.py describes what is no field: {sorted(stale)}")
    return "\n".join(_tables(schemas[argument], argument.capitalize()))


def _fields(section: Mapping[str, Any]) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = section["properties"]
    return fields


def _help(command: str) -> str:
    output = io.StringIO()
    before = os.environ.get("COLUMNS"), os.environ.get("NO_COLOR")
    os.environ.update(COLUMNS=_WIDTH, NO_COLOR="1")
    try:
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            run([*filter(None, [command]), "--help"])
    finally:
        for name, value in zip(("COLUMNS", "NO_COLOR"), before, strict=True):
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    shown = " ".join(filter(None, ["ciforge", command]))
    return f"```console\n$ {shown} --help\n{output.getvalue().rstrip()}\n```"


def _tables(sections: Mapping[str, Any], root: str) -> Iterator[str]:
    """A table for each section, the outermost first, each once."""
    defaults = root == "Config"  # of a plan every key is written
    queue = [(root, "")]
    seen = set()
    while queue:
        name, path = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        title = f"`{path}`" if path else "At the top"
        yield f"\n## {title} {{ #{_anchor(name)} }}\n"
        if path and (description := sections[name].get("description")):
            yield f"{_escaped(description)}\n"
        yield "| Key | Type | Default | Meaning |" if defaults else "| Key | Type | Meaning |"
        yield "|---|---|---|---|" if defaults else "|---|---|---|"
        for key, schema in _fields(sections[name]).items():
            described = _MORE.get(f"{name}.{key}") or schema.get("description", "")
            cells = [f"`{key}`", _type(schema), *([_default(schema)] if defaults else [])]
            yield f"| {' | '.join([*cells, _escaped(described)])} |"
            queue += [(n, _join(path, key, step)) for n, step in _references(schema)]


def _join(path: str, key: str, step: str) -> str:
    return f"{path}.{key}{step}" if path else f"{key}{step}"


def _references(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2], ""
    if isinstance(schema.get("items"), dict):
        yield from ((n, f"[]{s}") for n, s in _references(schema["items"]))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from ((n, f".NAME{s}") for n, s in _references(schema["additionalProperties"]))


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[section](#{_anchor(name)})"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    if "anyOf" in schema:
        kinds = [_type(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return f"{' or '.join(kinds)}, or null"
    kinds = schema.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    name = next(kind for kind in kinds if kind != "null")
    shown: dict[str, Callable[[], str]] = {
        "array": lambda: f"list of {_plural(_type(schema['items']))}",
        "object": lambda: _mapping(schema),
    }
    return shown[name]() if name in shown else name


def _mapping(schema: Mapping[str, Any]) -> str:
    if "additionalProperties" not in schema:
        return "mapping"
    return f"mapping to {_plural(_type(schema['additionalProperties']))}"


def _plural(name: str) -> str:
    return re.sub(r"^(\[?)(string|section|integer|list)(s?)", r"\1\2s", name)


def _default(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema or schema.get("default") is None:
        return ""
    return f"`{json.dumps(schema['default'], ensure_ascii=False)}`"


def _anchor(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
