"""The compose model as `docker compose config --format json` prints it, read without surprises."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ciforge.errors import InputError

Model = Mapping[str, Any]
_SECRET_NAME = re.compile(r"PASS(WORD|WD)?$|SECRET|TOKEN|_KEY$|PASSWORD")
_SHORTEST_SECRET = 4


def services(model: Model) -> dict[str, Any]:
    return dict(model.get("services") or {})


def closure(model: Model, names: Iterable[str], where: str) -> list[str]:
    """`names` and all that they depend on, sorted.

    Raises InputError for a name that the compose files (`where`) don't have.
    """
    known = services(model)
    waiting, found = list(names), set[str]()
    for name in waiting:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(
                f"has no service {name!r}, which the smoke suite tests",
                where=where,
                hint=f"{guess}compose services are called as ciforge's; add it, or leave it out "
                "of the suite's services in ciforge.yaml",
            )
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        waiting.extend(known[name].get("depends_on") or {})
    return sorted(found)


def owners(model: Model, started: Iterable[str], ours: Collection[str]) -> dict[str, str]:
    """Which service of `ours` each started one runs the image of: itself, or its migration.

    A service with another name is recognised by its image: the same in the compose files.
    """
    known = services(model)
    by_image = {known[name].get("image"): name for name in sorted(ours) if name in known}
    by_image.pop(None, None)
    found = {
        name: name if name in ours else by_image.get(known[name].get("image")) for name in started
    }
    return {name: owner for name, owner in found.items() if owner is not None}


def ran_to_end(model: Model) -> set[str]:
    """Services that others wait for to end well (migrations): exit code 0 is no fault."""
    return {
        name
        for service in services(model).values()
        for name, how in (service.get("depends_on") or {}).items()
        if how.get("condition") == "service_completed_successfully"
    }


def ports(service: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The container ports that a service publishes, with their protocol."""
    return sorted(
        {(int(p["target"]), p.get("protocol", "tcp")) for p in service.get("ports") or ()}
    )


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """Its variables. `config` doubles each `$`, so that its output can be read again."""
    found = service.get("environment") or {}
    return {k: str(v).replace("$$", "$") for k, v in found.items() if v is not None}


def command(service: Mapping[str, Any]) -> str:
    """The words of its entrypoint and command, joined by blanks."""
    words: list[str] = []
    for part in (service.get("entrypoint"), service.get("command")):
        words += part if isinstance(part, list) else [part] if part else []
    return " ".join(words).replace("$$", "$")


def secrets(model: Model) -> list[str]:
    """Values that no log line may show, longest first."""
    found = {
        value
        for service in services(model).values()
        for name, value in environment(service).items()
        if _SECRET_NAME.search(name.upper()) and len(value) >= _SHORTEST_SECRET
    }
    return sorted(found, key=lambda value: (-len(value), value))


def mask(text: str, hidden: Iterable[str]) -> str:
    for value in hidden:
        text = text.replace(value, "***")
    return text
