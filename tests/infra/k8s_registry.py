"""A registry with token login, for the cluster's own tests: Debian's docker-registry, and a
token server in a thread of the test."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.infra import k8s_tools
from tests.infra.k8s_place import Place, locked, wait_until, write

USER, PASSWORD = "gitlab-ci-token", "s3cret"
_ISSUER = "ciforge-test"


class TokenRegistry:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._folder = place.folder / "registry"
        port, self._token_port = place.ports(["registry", "token"]).values()
        self.address = f"127.0.0.1:{port}"
        # The node asks both: who pulls is sent to the token server.
        self.ports = (port, self._token_port)
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._make_key()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._token_port), _token_handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        realm = f"http://127.0.0.1:{self._token_port}/token"
        config = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "data")}},
            "http": {"addr": self.address},
            "auth": {
                "token": {
                    "realm": realm,
                    "service": "registry",
                    "issuer": _ISSUER,
                    "rootcertbundle": str(self._folder / "token.crt"),
                }
            },
        }
        write(self._folder / "registry.yaml", json.dumps(config))
        self._place.start(
            "registry",
            [_registry_program(), "serve", self._folder / "registry.yaml"],
            # It would look for a collector of traces.
            environment={"OTEL_TRACES_EXPORTER": "none"},
        )
        wait_until(
            "registry",
            self._answers,
            seconds=30,
            alive=lambda: self._place.runs("registry"),
            log=self._place.log("registry"),
        )

    def stop(self) -> None:
        self._place.stop(["registry"])
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def token(self, repository: str) -> str:
        """A token that may pull and push this repository, signed as the registry trusts it."""
        public = self._openssl("rsa", "-in", self._key, "-pubout", "-outform", "DER")
        letters = base64.b32encode(hashlib.sha256(public).digest()[:30]).decode()
        key_id = ":".join(letters[i : i + 4] for i in range(0, len(letters), 4))
        now = int(time.time())
        access = {"type": "repository", "name": repository, "actions": ["pull", "push"]}
        parts = [
            {"typ": "JWT", "alg": "RS256", "kid": key_id},
            {
                "iss": _ISSUER,
                "sub": USER,
                "aud": "registry",
                "jti": str(time.time_ns()),
                "iat": now,
                "nbf": now - 5,
                "exp": now + 300,
                "access": [access],
            },
        ]
        signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        signature = self._openssl("dgst", "-sha256", "-sign", self._key, stdin=signed.encode())
        return f"{signed}.{_base64(signature)}"

    @property
    def _key(self) -> str:
        return str(self._folder / "token.key")

    def _make_key(self) -> None:
        certificate = str(self._folder / "token.crt")
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=t"),
            *("-keyout", self._key, "-out", certificate),
        )

    def _openssl(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True)
        return done.stdout

    def _answers(self) -> bool:
        try:
            with requests.Session() as session:
                session.trust_env = False
                return session.get(f"http://{self.address}/v2/", timeout=5).status_code == 401
        except requests.ConnectionError:
            return False


def _token_handler(registry: TokenRegistry) -> type[BaseHTTPRequestHandler]:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            if self.headers["Authorization"] != f"Basic {login}":
                self._answer(401, {})
                return
            repository = query.get("scope", ["repository::"])[0].split(":")[1]
            self._answer(200, {"token": registry.token(repository)})

        def do_POST(self) -> None:
            # containerd asks this way first, and goes on with GET only after such a refusal.
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(404, {})

        def _answer(self, code: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


def _registry_program() -> Path:
    on_path = shutil.which("docker-registry")
    if on_path:
        return Path(on_path)
    folder = k8s_tools.cache_folder() / "docker-registry-debian"
    if not folder.exists():
        with locked(folder.with_name(f".{folder.name}.lock")):
            if not folder.exists():
                k8s_tools.unpack_debian_packages(["docker-registry"], folder)
    return folder / "usr/bin/docker-registry"


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
