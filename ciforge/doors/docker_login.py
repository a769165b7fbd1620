"""A registry login for Docker's own programs, for as long as they need it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ciforge.doors.files import workplace
from ciforge.doors.registry import Login


@contextmanager
def docker_login(
    host: str | None, login: Login | None, env: Mapping[str, str]
) -> Iterator[dict[str, str | None]]:
    """Environment changes with which `docker` is logged in to `host`.

    A copy of the user's configuration, readable by nobody else and gone at the end: neither
    the command line nor ~/.docker/config.json ever holds a CI job's password.
    """
    if host is None or login is None:
        yield {}
        return
    home = Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or "~").expanduser() / ".docker")
    try:
        config = json.loads((home / "config.json").read_bytes())
    except (OSError, ValueError):
        config = {}
    pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    config.setdefault("auths", {})[host] = {"auth": pair}
    config.get("credHelpers", {}).pop(host, None)
    if "credsStore" in config:
        # A store would be asked first; only this host's login is needed here.
        del config["credsStore"]
    config["cliPluginsExtraDirs"] = [
        *config.get("cliPluginsExtraDirs", []),
        str(home / "cli-plugins"),
    ]
    with workplace("login") as folder:
        (folder / "config.json").write_text(json.dumps(config))
        contexts = home / "contexts"
        if contexts.is_dir():
            (folder / "contexts").symlink_to(contexts)
        yield {
            "DOCKER_CONFIG": str(folder),
            "BUILDX_CONFIG": env.get("BUILDX_CONFIG") or str(home / "buildx"),
        }
