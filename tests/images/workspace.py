"""A workspace of two services, and ciforge build run on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import Any

from tests.builders import graph, graph_json, project, target
from tests.conftest import Repo
from tests.infra.registry import Login

DOCKERFILE = """\
ARG NODE_IMAGE=node:22-alpine
FROM ${NODE_IMAGE} AS builder
ARG SERVICE
WORKDIR /w
COPY . .
RUN find . -type f | sort > /listing && { cat libs/*/* >> /listing || true; }
RUN cp "apps/$SERVICE/main.js" /main.js
FROM ${NODE_IMAGE}
COPY --from=builder /listing /main.js /app/
USER 1000
HEALTHCHECK --interval=5s CMD ["node", "-e", "process.exit(0)"]
CMD ["node", "/app/main.js"]
"""
RUNS = "setInterval(() => {}, 1000);\n"


class Workspace:
    """Two services over one library, their images named as no other run names them."""

    def __init__(self, repo: Repo, registry: Login, environment: dict[str, str]) -> None:
        self.repo = repo
        self.environment = environment
        self.engine = environment  # where images can be run, whatever builds them
        self.prefix = f"all-erp/build-{uuid.uuid4().hex[:10]}"
        self.host = registry.variables()["CI_REGISTRY"]
        made = graph(
            [
                project("api", "apps/api", "app", targets={"build": target(), "serve": target()}),
                project("web", "apps/web", "app", targets={"build": target(), "serve": target()}),
                project("common", "libs/common", targets={"build": target()}),
            ],
            [("api", "common")],
        )
        repo.commit(
            files={
                "nx.json": "{}",
                "package.json": "{}",
                "Dockerfile": DOCKERFILE,
                "graph.json": graph_json(made),
                "ciforge.yaml": f"registry: {{host: '{self.host}', prefix: {self.prefix}}}\n"
                "services: {api: {}, web: {}}\n",
                "apps/api/main.js": RUNS,
                "apps/web/main.js": RUNS,
                "libs/common/index.js": "1",
                "docs/notes.md": "not an input",
            }
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ciforge", "build", "--graph", "graph.json", *arguments],
            cwd=self.repo.path,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def build(self, *arguments: str, code: int = 0, **environment: str) -> tuple[Any, str]:
        """images.json's images by service, and what was said on the way."""
        process = self.start(*arguments, "-o", "images.json", **environment)
        out, err = process.communicate(timeout=200)
        assert process.returncode == code, err
        assert "Traceback" not in err, err
        assert self.environment["CI_REGISTRY_PASSWORD"] not in out + err
        if code:
            return None, err
        written = json.loads((self.repo.path / "images.json").read_bytes())
        return {image["service"]: image for image in written["images"]}, err

    def plan(self, name: str = "plan.json") -> Any:
        """Makes a plan; its content."""
        subprocess.run(
            [
                *(sys.executable, "-m", "ciforge", "plan", "--graph", "graph.json"),
                *("--format", "json", "-o", name),
            ],
            cwd=self.repo.path,
            env={**os.environ, **self.environment},
            check=True,
        )
        return json.loads((self.repo.path / name).read_bytes())

    def docker(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        return done.stdout.strip()
