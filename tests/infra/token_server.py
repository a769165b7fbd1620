"""Answers as GitLab's /jwt/auth does: RS256 tokens for a container registry.

    python token_server.py FOLDER PORT

FOLDER holds token.key, token.crt and users.json: {user: {"password": …, "projects": {path:
[actions]}}}; a project's path stands for every image below it. Standard library and openssl only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ISSUER, SERVICE, PATH = "gitlab-issuer", "container_registry", "/jwt/auth"
_LIFETIME = 300

Users = Mapping[str, Mapping[str, Any]]


class DeniedError(Exception):
    """GitLab's refusals: the status and the body that the Docker client shows."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"code": code, "message": message}]}


def access(users: Users, login: tuple[str, str] | None, scopes: Sequence[str]) -> list[object]:
    """What of `scopes` the user may do. What he may not is left out, and the registry refuses."""
    if login is None:
        if not scopes:
            raise DeniedError(403, "DENIED", "access forbidden")
        return []
    name, password = login
    user = users.get(name)
    if user is None or not hmac.compare_digest(str(user["password"]).encode(), password.encode()):
        raise DeniedError(401, "UNAUTHORIZED", "HTTP Basic: Access denied")
    granted: list[object] = []
    for scope in scopes:
        kind, path, wanted = scope.split(":", 2)
        allowed = _allowed(user["projects"], path) if kind == "repository" else set()
        actions = [action for action in wanted.split(",") if action in allowed]
        if actions:
            granted.append({"type": kind, "name": path, "actions": actions})
    return granted


def _allowed(projects: Mapping[str, Sequence[str]], path: str) -> set[str]:
    return {
        action
        for project, actions in projects.items()
        if f"{path}/".startswith(f"{project}/")
        for action in actions
    }


def token(folder: Path, user: str, granted: list[object]) -> str:
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "kid": _key_id(folder)}
    claims = {
        "iss": ISSUER,
        "sub": user,
        "aud": SERVICE,
        "exp": now + _LIFETIME,
        "nbf": now - 5,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "access": granted,
    }
    signed = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
    signature = _openssl("dgst", "-sha256", "-sign", folder / "token.key", stdin=signed)
    return f"{signed.decode()}.{_base64(signature).decode()}"


def _key_id(folder: Path) -> str:
    """libtrust's fingerprint, by which the registry finds the key in its bundle."""
    public = _openssl("rsa", "-in", folder / "token.key", "-pubout", "-outform", "DER")
    text = base64.b32encode(hashlib.sha256(public).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def _openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=stdin, check=True, capture_output=True
    ).stdout


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path != PATH:
            self._answer(404, {})
            return
        query = urllib.parse.parse_qs(url.query)
        # More than one scope comes as repeated parameters, or as one with blanks in it.
        scopes = [scope for value in query.get("scope", []) for scope in value.split()]
        login = self._login()
        try:
            users = json.loads((self.folder / "users.json").read_text())
            granted = access(users, login, scopes)
        except DeniedError as denied:
            self._answer(denied.status, denied.body)
        except ValueError:
            self._answer(400, {})
        else:
            self._answer(200, {"token": token(self.folder, login[0] if login else "", granted)})

    def do_POST(self) -> None:
        # containerd asks by POST first and goes on with GET after 401, 404 and 405 alone.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(404, {})

    def _login(self) -> tuple[str, str] | None:
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return "", ""
        return name, password

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main(arguments: list[str]) -> None:
    _Handler.folder = Path(arguments[0])
    ThreadingHTTPServer(("127.0.0.1", int(arguments[1])), _Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
