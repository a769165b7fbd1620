"""What stands in for GitLab: a server on loopback that answers as GitLab's own OpenAPI
description (release line 18.11) says, and objects to what that does not know."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

TOKEN = "glpat-secret"
_API: dict[str, Any] = json.loads((Path(__file__).parent / "gitlab_api.json").read_text())


class Handler(BaseHTTPRequestHandler):
    """One operation of the API, for project 42; each test says what comes of it in `result`."""

    operation: ClassVar[str]  # as in gitlab_api.json
    faults: ClassVar[list[str]]

    def result(self, asked: dict[str, Any]) -> object:
        """What is answered to a query or body that the description knows."""
        raise NotImplementedError

    def _serve(self, method: str) -> None:
        url = urlsplit(self.path)
        known, path = _API[self.operation], self.operation.partition(" ")[2]
        if self.headers.get("PRIVATE-TOKEN") != TOKEN:
            self._answer(401, {"message": "401 Unauthorized"})
        elif (method, url.path) != (self.operation.split()[0], path.format(id=42)):
            self._answer(404, {"message": "404 Project Not Found"})
        else:
            asked = self._query(known, url.query) if method == "GET" else self._body(known)
            answer = self.result(asked)
            for one in answer if isinstance(answer, list) else [answer]:
                self.faults += [f"answers {key}" for key in one.keys() - known["answer"].keys()]
            self._answer(200 if method == "GET" else 201, answer)

    def _query(self, known: dict[str, Any], text: str) -> dict[str, Any]:
        asked: dict[str, Any] = {}
        for name, values in parse_qs(text).items():
            parameter = known["query"].get(name.removesuffix("[]"))
            if parameter is None or (parameter["type"] == "array") != name.endswith("[]"):
                self.faults.append(f"asks {name}")
                continue
            allowed = parameter.get("items", parameter).get("enum", values)
            self.faults += [f"asks {name}={value}" for value in values if value not in allowed]
            asked[name.removesuffix("[]")] = values if name.endswith("[]") else values[0]
        return asked

    def _body(self, known: dict[str, Any]) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.faults += [f"sends {key}" for key in asked.keys() - known["body"].keys()]
        self.faults += [f"does not send {key}" for key in set(known["required"]) - asked.keys()]
        return asked

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[Handler]) -> Iterator[str]:
    """The server's address. At the end nothing was asked or answered that GitLab doesn't know."""
    handler.faults = []
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert handler.faults == []


def environment(server: str, **more: str) -> dict[str, str]:
    return {"CI_SERVER_URL": server, "CI_PROJECT_ID": "42", "GITLAB_TOKEN": TOKEN, **more}
