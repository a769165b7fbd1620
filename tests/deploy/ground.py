"""A cluster, a registry with images in it, and `ciforge deploy` as its user runs it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gate import chain
from tests.infra import k8s_image, k8s_tools, registry
from tests.infra.k8s_cluster import Cluster
from tests.infra.registry import Login

_CHART = Path(__file__).with_name("chart")
_PROJECT = Path(__file__).parents[2]


@dataclass
class Ground:
    cluster: Cluster
    login: Login
    programs: Path
    digests: dict[str, str] = field(default_factory=dict)

    def push(self, service: str, name: str, *arguments: str) -> str:
        """An image of `service`, another for each `name`; returns its digest."""
        if name not in self.digests:
            program = k8s_tools.kubernetes()["pause"]
            image = k8s_image.of_program(program, arguments, {"GREETING": name})
            image.push(
                self.login.address,
                f"all-erp/{service}",
                registry.token(self.login, f"all-erp/{service}"),
            )
            self.digests[name] = image.digest
        return self.digests[name]

    def environment(self, home: Path) -> dict[str, str]:
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ,
            **self.cluster.environment(),
            **self.login.variables(),
            "PATH": path,
            "HOME": str(home),
            "PYTHONPATH": str(_PROJECT),
        }


@dataclass
class Shop:
    """One workspace, one namespace, one release."""

    ground: Ground
    folder: Path
    namespace: str
    values: dict[str, Any] = field(default_factory=dict)

    def prepare(self, *, real: bool = False, labels: Mapping[str, str] | None = None) -> None:
        shutil.copytree(_CHART, self.folder / "chart", dirs_exist_ok=True)
        cluster = self.ground.cluster
        cluster.namespace(self.namespace, real=real, labels=labels)
        login = self.ground.login
        basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
        config = json.dumps({"auths": {login.address: {"auth": basic}}})
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "login", "namespace": self.namespace},
                "type": "kubernetes.io/dockerconfigjson",
                "stringData": {".dockerconfigjson": config},
            }
        )

    def write(
        self,
        images: Mapping[str, str],
        *,
        run: bool = True,
        timeout: int = 60,
        max_restarts: int = 3,
        red: str = "",
        **values: Any,
    ) -> None:
        """plan.json and all that follows: `images` are service → digest."""
        host = self.ground.login.address
        (self.folder / "values.json").write_text(json.dumps({"pullSecret": "login", **values}))
        plan = chain.plan(
            list(images),
            host=host,
            run=run,
            namespace=self.namespace,
            timeout=timeout,
            max_restarts=max_restarts,
            values=["values.json"],
        )
        built = [chain.image(name, digest, host) for name, digest in images.items()]
        chain.write(self.folder, plan, built, red=red)

    def command(self, *arguments: str) -> list[str]:
        return [
            *(sys.executable, "-m", "ciforge"),
            *("deploy", "staging", "-o", str(self.folder / "deploy.json"), *arguments),
        ]

    def deploy(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("--settle", "0", *arguments),
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.ground.environment(self.folder) | env,
            timeout=120,
        )

    def gate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "ciforge",
                "-C",
                str(self.folder),
                "gate",
                "staging",
                *arguments,
            ],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.ground.environment(self.folder),
            timeout=60,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command("--settle", "0", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.ground.environment(self.folder),
            start_new_session=True,
        )

    @property
    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "deploy.json").read_text())
        return told

    def history(self) -> list[str]:
        try:
            listed = self.ground.cluster.helm(
                *("history", "all-erp", f"--namespace={self.namespace}", "--output=json")
            )
        except Exception:  # no release
            return []
        return [line["status"] for line in json.loads(listed)]

    def pods(self) -> dict[str, str]:
        """uid → image digest of the pods that are not being stopped."""
        listed = self.ground.cluster.kubectl(
            "get", "pods", f"--namespace={self.namespace}", "--output=json"
        )
        return {
            pod["metadata"]["uid"]: pod["spec"]["containers"][0]["image"].partition("@")[2]
            for pod in json.loads(listed)["items"]
            if not pod["metadata"].get("deletionTimestamp")
        }

    def lease(self) -> bool:
        listed = self.ground.cluster.kubectl(
            "get", "leases", f"--namespace={self.namespace}", "--output=name"
        )
        return "ciforge-all-erp" in listed

    def wait(self, check: Callable[[], object], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end
            time.sleep(0.2)


def kill_all(process: subprocess.Popen[str]) -> None:
    """kill -9 of the whole group, as a runner's container ends."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
