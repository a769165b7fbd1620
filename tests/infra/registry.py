"""A registry that asks for GitLab-like tokens: Debian's docker-registry and token_server.py.

CIFORGE_TEST_REGISTRY (host:port/project), with _USER and _PASSWORD, names one to use instead.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.infra import engine
from tests.infra.base import ENVIRONMENT, InfraError, Place, claim_port, here, lives, ports, run
from tests.infra.k8s_place import wait_until, write
from tests.infra.token_server import ISSUER, PATH, SERVICE
from tests.infra.tools import debian, debian_unpacked, docker

NAME = "registry"
PROJECT, FOREIGN_PROJECT = "all-erp", "another-group"
_VARIABLE = "CIFORGE_TEST_REGISTRY"
_ALL = ["pull", "push", "delete"]


@dataclass(frozen=True)
class Login:
    """What GitLab tells a job: the registry, the project's images, who may push them."""

    address: str
    image: str
    user: str
    password: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        return {
            "CI_REGISTRY": self.address,
            "CI_REGISTRY_IMAGE": self.image,
            "CI_REGISTRY_USER": self.user,
            "CI_REGISTRY_PASSWORD": self.password,
        }


def login(place: Place | None = None) -> Login:
    """The job's login; first writes it into the configuration of this place's Docker client."""
    place = place or here()
    known = credentials(place)
    run(
        [docker(), "login", "--username", known.user, "--password-stdin", known.address],
        environment=engine.environment(place),
        stdin=known.password,
    )
    return known


def credentials(place: Place | None = None) -> Login:
    place = place or here()
    image = ENVIRONMENT.get(_VARIABLE)
    if image:
        values = [ENVIRONMENT.get(f"{_VARIABLE}_{part}", "") for part in ("USER", "PASSWORD")]
        return Login(image.partition("/")[0], image, *values)
    address = f"127.0.0.1:{ports(place)[NAME]}"
    user = "gitlab-ci-token"
    return Login(address, f"{address}/{PROJECT}", user, _users(place)[user]["password"])


def start(place: Place | None = None) -> Login:
    place = place or here()
    if not ENVIRONMENT.get(_VARIABLE):
        with place.lock(NAME):
            if not ready(place):
                _start(place)
    return credentials(place)


def ready(place: Place | None = None) -> bool:
    place = place or here()
    if ENVIRONMENT.get(_VARIABLE):
        return True
    numbers = ports(place)
    return (
        answers(numbers[NAME]) == 401
        # Nobody asks for nothing: GitLab forbids that, and so the server is up.
        and answers(numbers["token"], PATH) == 403
    )


def token(login: Login, repository: str) -> str:
    """For whoever pushes without Docker's client: asked for as the registry's challenge says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://{login.address}/v2/", timeout=10)
        raise InfraError(f"{login.address} asks for no login")
    except urllib.error.HTTPError as refusal:
        challenge = refusal.headers["WWW-Authenticate"]
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    scope = f"repository:{repository}:pull,push"
    query = urllib.parse.urlencode({"service": asked["service"], "scope": scope})
    basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    request = urllib.request.Request(f"{asked['realm']}?{query}")
    request.add_header("Authorization", f"Basic {basic}")
    with opener.open(request, timeout=10) as answer:
        return str(json.load(answer)["token"])


def loopback_ports(place: Place | None = None) -> list[int]:
    """What a node needs of this machine's loopback to pull: registry and token server."""
    numbers = ports(place or here())
    return [numbers[NAME], numbers["token"]]


def stop(place: Place | None = None) -> None:
    place = place or here()
    with place.lock(NAME):
        place.stop([NAME, "token"])


def _start(place: Place) -> None:
    program = debian_unpacked("docker-registry")
    folder = _folder(place)
    folder.mkdir(parents=True, exist_ok=True)
    _make_key(folder)
    _users(place)
    # Both anew: the registry's configuration names the token server's port.
    place.stop([NAME, "token"])
    token_port = claim_port(place, "token")
    server = Path(__file__).with_name("token_server.py")
    place.start("token", [sys.executable, server, folder, str(token_port)])
    settings = {
        "auth": {
            "token": {
                "realm": f"http://127.0.0.1:{token_port}{PATH}",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(folder / "token.crt"),
            }
        }
    }
    serve(place, NAME, program, folder / "data", settings)
    wait_until(
        "the registry",
        lambda: ready(place),
        seconds=30,
        alive=lambda: lives(place, NAME) and lives(place, "token"),
        log=place.log(NAME),
    )


def serve(
    place: Place, name: str, program: Path, data: Path, settings: Mapping[str, object]
) -> None:
    """Starts a docker-registry on the port of this name."""
    if lives(place, name):
        return
    port = claim_port(place, name)
    configuration = place.folder / f"{name}.json"
    write(
        configuration,
        # JSON is YAML.
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "info"},
                "storage": {
                    "filesystem": {"rootdirectory": str(data)},
                    "delete": {"enabled": True},
                },
                "http": {
                    "addr": f"127.0.0.1:{port}",
                    "secret": secrets.token_hex(16),
                },
                **settings,
            }
        ),
    )
    # It would look for a collector of traces.
    environment = {"OTEL_TRACES_EXPORTER": "none"}
    place.start(name, [program, "serve", configuration], environment=environment)


def answers(port: int, path: str = "/v2/") -> int:
    """The status with which a server on loopback answers; 0 where none does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _folder(place: Place) -> Path:
    return place.folder / NAME


def _users(place: Place) -> dict[str, dict[str, str]]:
    """Made once with random passwords; `outsider` has a project of his own and none of ours."""
    path = _folder(place) / "users.json"
    with suppress(OSError, ValueError):
        return dict(json.loads(path.read_text()))
    projects = {
        "gitlab-ci-token": {PROJECT: _ALL},
        "gitlab+deploy-token-1": {PROJECT: ["pull"]},
        "outsider": {FOREIGN_PROJECT: _ALL},
    }
    users = {
        name: {"password": secrets.token_urlsafe(24), "projects": allowed}
        for name, allowed in projects.items()
    }
    write(path, json.dumps(users))
    return _users(place)


def password(user: str, place: Place | None = None) -> str:
    return _users(place or here())[user]["password"]


def _make_key(folder: Path) -> None:
    if (folder / "token.crt").exists():
        return
    openssl = debian("openssl", "openssl")
    key, unfinished = folder / "token.key", folder / "token.crt.unfinished"
    run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"),
            *("-subj", "/CN=ciforge test", "-keyout", key, "-out", unfinished),
        ]
    )
    shutil.move(unfinished, folder / "token.crt")
