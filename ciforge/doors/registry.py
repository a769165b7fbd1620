"""The door to the container registry: which manifest stands under a tag.

Speaks the OCI distribution API with GitLab's token login. Credentials come from GitLab's CI
variables or from Docker's configuration, and go nowhere but into the Authorization header.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ciforge.doors.process import innermost, report_call, run
from ciforge.errors import CiforgeError, OutsideError

if TYPE_CHECKING:
    import requests

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_TIMEOUT = (5, 20)  # seconds: to connect, to answer
_PARALLEL = 16


@dataclass(frozen=True)
class Login:
    user: str
    password: str = field(repr=False)


def speaks_http(host: str, insecure: bool) -> bool:
    """Whether plain HTTP is spoken to it: loopback hosts, and where it is configured."""
    name = host.partition("/")[0].rpartition(":")[0] or host
    return insecure or name in ("localhost", "127.0.0.1", "[::1]")


def find_login(host: str, env: Mapping[str, str]) -> Login | None:
    """GitLab's CI login when it is for this host, else what `docker login` has stored."""
    user, password = env.get("CI_REGISTRY_USER"), env.get("CI_REGISTRY_PASSWORD")
    if user and password and env.get("CI_REGISTRY") == host:
        return Login(user, password)
    folder = Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or "~").expanduser() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    helper = (config.get("credHelpers") or {}).get(host) or config.get("credsStore")
    if helper:
        return _ask_helper(str(helper), host)
    entry: Any = (config.get("auths") or {}).get(host)
    try:
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    except (TypeError, KeyError, ValueError):
        return None
    return Login(user, password)


def _ask_helper(helper: str, host: str) -> Login | None:
    program = f"docker-credential-{helper}"
    if not re.fullmatch(r"[\w.-]+", helper) or shutil.which(program) is None:
        return None
    try:
        answer = json.loads(run([program, "get"], stdin=host.encode(), timeout=20))
        return Login(str(answer["Username"]), str(answer["Secret"]))
    except (CiforgeError, ValueError, KeyError, TypeError):
        return None


class Registry:
    """One registry host. Plain HTTP is spoken to loopback hosts, and where `insecure` says so."""

    def __init__(self, host: str, *, insecure: bool = False, login: Login | None = None) -> None:
        import requests

        self.host = host
        self._url = f"{'http' if speaks_http(host, insecure) else 'https'}://{host}"
        self._login = login
        self._session = requests.Session()
        # ~/.netrc must not add credentials of its own to a token that was asked for.
        self._session.trust_env = False
        self._session.proxies = requests.utils.get_environ_proxies(self._url)
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        if bundle:
            self._session.verify = bundle
        self._tokens: dict[str, str] = {}

    def digests(self, tags: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """The manifest digest under each `(repository, tag)`; None where there is none.

        Raises OutsideError when the registry does not answer, or refuses the login.
        """
        wanted = list(tags)
        if not wanted:
            return {}
        # The first alone: when nobody is there, one failure is enough.
        answers = {wanted[0]: self.digest(*wanted[0])}
        with ThreadPoolExecutor(_PARALLEL) as pool:
            rest = wanted[1:]
            answers.update(zip(rest, pool.map(lambda t: self.digest(*t), rest), strict=True))
        return answers

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest of the manifest under `repository:tag`, or None when there is none."""
        answer = self._request("HEAD", f"/v2/{repository}/manifests/{tag}", repository)
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise OutsideError(
                f"the registry answered {answer.status_code} for {repository}:{tag}",
                where=self.host,
                hint="look whether the login may read this project's registry",
            )
        digest = answer.headers.get("Docker-Content-Digest", "")
        return digest if digest.startswith("sha256:") else None

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """The manifest under a tag or digest, as bytes, and its media type.

        Raises OutsideError when there is none.
        """
        answer = self._request("GET", f"/v2/{repository}/manifests/{reference}", repository)
        if answer.status_code >= 400:
            raise OutsideError(
                f"the registry answered {answer.status_code} for {repository}@{reference}",
                where=self.host,
                hint="was the image removed? run ciforge build again",
            )
        return answer.content, answer.headers.get("Content-Type", "")

    def tag(self, repository: str, digest: str, tags: Iterable[str]) -> None:
        """Sets tags on the manifest `digest`, without moving any layer.

        Raises OutsideError when the login may not push.
        """
        content, media_type = self.manifest(repository, digest)
        for tag in tags:
            path = f"/v2/{repository}/manifests/{tag}"
            answer = self._request("PUT", path, repository, content, media_type)
            if answer.status_code >= 400:
                raise OutsideError(
                    f"the registry answered {answer.status_code} for the tag {repository}:{tag}",
                    where=self.host,
                    hint="look whether the login may push to this project's registry",
                )

    def size(self, repository: str, digest: str) -> int | None:
        """Bytes of the compressed layers; None for an index of several platforms."""
        content, _ = self.manifest(repository, digest)
        try:
            layers = json.loads(content).get("layers")
            return None if layers is None else sum(int(layer["size"]) for layer in layers)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _request(
        self,
        method: str,
        path: str,
        repository: str,
        content: bytes | None = None,
        media_type: str | None = None,
    ) -> requests.Response:
        import requests

        started = time.perf_counter()
        actions = "pull" if content is None else "pull,push"
        key = f"{repository}:{actions}"
        headers = {"Accept": _MANIFESTS} if media_type is None else {"Content-Type": media_type}
        if key in self._tokens:
            headers["Authorization"] = self._tokens[key]
        try:
            url = self._url + path
            answer = self._session.request(
                method, url, headers=headers, timeout=_TIMEOUT, data=content
            )
            if answer.status_code == 401:
                # Also for a token that was good before: they expire after minutes.
                challenge = answer.headers.get("WWW-Authenticate", "")
                headers["Authorization"] = self._authorize(challenge, repository, actions)
                self._tokens[key] = headers["Authorization"]
                answer = self._session.request(
                    method, url, headers=headers, timeout=_TIMEOUT, data=content
                )
        except requests.RequestException as error:
            raise OutsideError(
                f"the registry can't be reached ({innermost(error)})",
                where=self.host,
                hint="look at the network, the host's name and its certificate",
            ) from error
        finally:
            report_call(f"{method} {self.host}{path}", time.perf_counter() - started)
        if answer.status_code in (401, 403):
            raise OutsideError(
                "the registry refuses the login"
                if self._login
                else "the registry wants a login, and none was found",
                where=self.host,
                hint=f"docker login {self.host}, or in CI: CI_REGISTRY_USER and _PASSWORD",
            )
        return answer

    def _authorize(self, challenge: str, repository: str, actions: str) -> str:
        """The Authorization header that a 401's challenge asks for."""
        scheme, _, rest = challenge.partition(" ")
        login = self._login
        if scheme.lower() == "basic" and login:
            pair = f"{login.user}:{login.password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = asked.get("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith(("https://", "http://")):
            return ""
        parameters: dict[str, Any] = {"scope": f"repository:{repository}:{actions}"}
        if "service" in asked:
            parameters["service"] = asked["service"]
        auth = (login.user, login.password) if login else None
        answer = self._session.get(realm, params=parameters, auth=auth, timeout=_TIMEOUT)
        if answer.status_code != 200:
            return ""
        try:
            body = answer.json()
            return f"Bearer {body.get('token') or body['access_token']}"
        except (ValueError, KeyError, AttributeError):
            return ""
