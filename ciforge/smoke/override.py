"""The override file: exact images, random ports, and nothing that two runs could share. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ciforge.smoke.model import Model, ports, services
from ciforge.smoke.recognise import recognise


@dataclass(frozen=True)
class _Tagged:
    """A value with one of Compose's tags: `!override` replaces, `!reset` takes away."""

    tag: str
    value: Any


class _Dumper(yaml.SafeDumper):
    """Writes tagged values."""


def _write_tagged(dumper: yaml.SafeDumper, tagged: _Tagged) -> yaml.Node:
    node = dumper.represent_data(tagged.value)
    node.tag = tagged.tag
    return node


_Dumper.add_representer(_Tagged, _write_tagged)
_RESET = _Tagged("!reset", None)


@dataclass(frozen=True)
class Frame:
    """What surrounds one run of a suite.

    `project`: its compose project. `labels`: on all that it makes. `bind`: the address that
    ports are published on.
    """

    project: str
    labels: Mapping[str, str]
    bind: str = "127.0.0.1"


def override(
    model: Model,
    started: Iterable[str],
    references: Mapping[str, str],
    probed: Mapping[str, int],
    frame: Frame,
) -> str:
    """The override file's text.

    `started`: the services that will run. `references`: the exact images of the services under
    test. `probed`: ports that are asked and must be reachable, published by the files or not.
    """
    known = services(model)
    document: dict[str, Any] = {
        "services": {
            name: _service(name, known[name], references.get(name), probed.get(name), frame)
            for name in started
        }
    }
    for kind in ("volumes", "networks"):
        if model.get(kind):
            document[kind] = {
                key: _own(key, value or {}, frame) for key, value in sorted(model[kind].items())
            }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=True)


def _service(
    name: str, service: Mapping[str, Any], reference: str | None, probed: int | None, frame: Frame
) -> dict[str, Any]:
    changed: dict[str, Any] = {"labels": dict(frame.labels)}
    if reference is not None:
        # A crash must show as one, so it is not started again; and nothing is ever built here.
        changed |= {"image": reference, "pull_policy": "missing", "restart": "no"}
        if "build" in service:
            changed["build"] = _RESET
    if "container_name" in service:
        changed["container_name"] = _RESET
    published = _published(name, service, probed)
    if published and not str(service.get("network_mode", "")).startswith(
        ("host", "service", "con")
    ):
        bound = [f"{frame.bind}::{port}/{protocol}" for port, protocol in published]
        changed["ports"] = _Tagged("!override", bound)
    return changed


def _published(name: str, service: Mapping[str, Any], probed: int | None) -> list[tuple[int, str]]:
    wanted = set(ports(service))
    dependency = recognise(name, service)
    if dependency is not None:
        wanted.add((dependency.port, "tcp"))
    if probed is not None:
        wanted.add((probed, "tcp"))
    return sorted(wanted)


def _own(key: str, definition: Mapping[str, Any], frame: Frame) -> Any:
    """A volume or network of this run alone, also where the file names a shared one.

    A developer's data must neither be written to nor go away with the run.
    """
    own = {"name": f"{frame.project}_{key}", "labels": dict(frame.labels)}
    return _Tagged("!override", own) if definition.get("external") else own
