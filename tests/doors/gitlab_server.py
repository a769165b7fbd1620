"""What stands in for GitLab: a server on loopback that answers as GitLab's API is described."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

TOKEN = "glpat-secret"


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON; each test says to what."""

    @property
    def knows_who_asks(self) -> bool:
        return self.headers.get("PRIVATE-TOKEN") == TOKEN

    def answer(self, status: int, body: object) -> None:
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
    """The server's address."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(server: str, **more: str) -> dict[str, str]:
    return {"CI_SERVER_URL": server, "CI_PROJECT_ID": "42", "GITLAB_TOKEN": TOKEN, **more}
