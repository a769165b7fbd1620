"""The whole way, commit by commit: each test starts from what the one before it released."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workspace import NAMESPACE, RELEASE, Pipeline, Workspace
from tests.infra.base import run
from tests.infra.k8s_cluster import REAL_NODE, Cluster

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]
pytest_plugins = ["tests.infra.fixtures"]

_SERVICES = ["assistant-service", "auth-service", "billing-service", "search-service", "web"]
_USERS_OF_COMMON = [name for name in _SERVICES if name != "web"]
# In the labels of what a smoke starts, and of what a build starts once.
_OURS = ("ciforge-smoke-", "ciforge.start-check")
_COMMON = "libs/common/src/json-logger.ts"
_BILLING = "apps/billing-service/src/main.ts"
_LISTEN = "  await listen(app, config.PORT, logger);\n"
_NEVER_READY = """\
  app.use(
    (
      request: { url: string },
      response: { writeHead(status: number): { end(text: string): void } },
      next: () => void,
    ) => {
      if (request.url.startsWith('/health/ready')) {
        console.error('planted: not ready, on purpose');
        response.writeHead(503).end('planted');
      } else {
        next();
      }
    },
  );
"""
_CRASHES_IN_A_CLUSTER = """\
  if (process.env['KUBERNETES_SERVICE_HOST']) {
    console.error('planted: crashes in a cluster, on purpose');
    process.exit(13);
  }
"""


# -- what the cluster and the engine say -----------------------------------------------------


def _pods(cluster: Cluster) -> dict[str, Any]:
    """Service → its running pod. Pods that are going are none."""
    listed = cluster.kubectl("get", "pods", "--namespace", NAMESPACE, "--output=json")
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod
        for pod in json.loads(listed)["items"]
        if "deletionTimestamp" not in pod["metadata"] and _owner(pod) == "ReplicaSet"
    }


def _owner(pod: Any) -> str:
    return str(pod["metadata"].get("ownerReferences", [{"kind": ""}])[0]["kind"])


def _is_ready(pod: Any) -> bool:
    states = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return states.get("Ready") == "True"


def _uids(cluster: Cluster) -> dict[str, str]:
    return {name: pod["metadata"]["uid"] for name, pod in _pods(cluster).items()}


def _images(cluster: Cluster) -> dict[str, str]:
    return {name: pod["spec"]["containers"][0]["image"] for name, pod in _pods(cluster).items()}


def _revisions(cluster: Cluster) -> list[tuple[int, str]]:
    printed = cluster.helm("history", RELEASE, "--namespace", NAMESPACE, "--output=json")
    return [(entry["revision"], entry["status"]) for entry in json.loads(printed)]


def _leftovers(project: Workspace) -> list[str]:
    """Containers, networks and volumes that a smoke or a build of ciforge has left."""
    found = []
    for kind, everything in (("container", ["--all"]), ("network", []), ("volume", [])):
        listing = ["docker", kind, "ls", *everything, "--format", "{{.Labels}}"]
        labels = run(listing, environment=project.environment).splitlines()
        found += [f"{kind}: {line}" for line in labels if any(mark in line for mark in _OURS)]
    return found


def _assert_released(cluster: Cluster, pipeline: Pipeline) -> None:
    pods = _pods(cluster)
    assert sorted(pods) == _SERVICES
    assert all(pod["spec"]["nodeName"] == REAL_NODE for pod in pods.values())
    assert [name for name, pod in pods.items() if not _is_ready(pod)] == []
    # The branch's tag is on all of them, on those of an earlier pipeline too.
    assert [one["service"] for one in pipeline.images if "main" not in one["tags"]] == []
    wanted = {one["service"]: f"{one['image']}@{one['digest']}" for one in pipeline.images}
    assert _images(cluster) == {name: wanted[name] for name in _SERVICES}


def _plant(project: Workspace, fault: str) -> None:
    source = project.read(_BILLING)
    assert _LISTEN in source
    project.commit("A fault", {_BILLING: source.replace(_LISTEN, fault + _LISTEN)})


def _mend(project: Workspace) -> None:
    project.repo.git("revert", "--no-edit", "HEAD")
    project.repo.git("push", "--quiet", "origin", "main")
    project.before = project.repo.git("rev-parse", "HEAD~2")


# -- the proofs ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first(project: Workspace) -> Pipeline:
    """The first commit's pipeline. Without its release the other proofs say nothing."""
    pipeline = project.pipeline()
    pipeline.assert_all_passed()
    return pipeline


def test_first_commit_is_built_tested_and_released(
    first: Pipeline, project: Workspace, target: Cluster
) -> None:
    assert first.built == _SERVICES
    assert first.outcomes["deploy staging"] == "PASS"
    _assert_released(target, first)
    assert _leftovers(project) == []
    for service in _SERVICES:
        path = "api/health/ready" if service == "web" else "health/ready"
        url = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-{service}:http/proxy/{path}"
        answer = json.loads(target.kubectl("get", f"--raw={url}"))
        assert answer["status"] in ("ok", "degraded"), (service, answer)


@pytest.mark.usefixtures("first")
def test_change_in_a_library_builds_its_users_alone(project: Workspace, target: Cluster) -> None:
    before = _uids(target)
    source = project.read(_COMMON)
    project.commit("Name the level", {_COMMON: f"{source}\nexport const LEVEL = 'info';\n"})

    pipeline = project.pipeline()

    pipeline.assert_all_passed()
    assert pipeline.built == _USERS_OF_COMMON
    _assert_released(target, pipeline)
    after = _uids(target)
    assert [name for name in _SERVICES if after[name] == before[name]] == ["web"]


@pytest.mark.usefixtures("first")
def test_documentation_does_nothing_and_says_why(project: Workspace, target: Cluster) -> None:
    before, revisions = _uids(target), _revisions(target)
    project.commit("Words", {"docs/words.md": "# Words\n"})

    pipeline = project.pipeline()

    pipeline.assert_all_passed()
    assert sorted(pipeline.outcomes) == ["ciforge", "ciforge-plan", "plan"]
    assert (_uids(target), _revisions(target)) == (before, revisions)
    log = pipeline.logs["plan"]
    assert log.count("no input of its image changed") == len(_SERVICES), log
    assert "deploy    staging: skip, no service changed" in log


@pytest.mark.usefixtures("first")
def test_service_that_never_gets_ready_is_not_deployed(
    project: Workspace, target: Cluster, tmp_path: Path
) -> None:
    before, revisions = _images(target), _revisions(target)
    _plant(project, _NEVER_READY)

    pipeline = project.pipeline()

    (smoke,) = [job for job in pipeline.outcomes if job.startswith("smoke ")]
    assert pipeline.outcomes[smoke] == "FAIL", pipeline.log
    assert "billing-service" in pipeline.logs[smoke]
    assert "planted: not ready, on purpose" in pipeline.logs[smoke]
    assert "deploy staging" not in pipeline.outcomes
    # By hand, with the very files of this pipeline.
    for job, name, copy in (
        ("plan", "plan.json", "plan.json"),
        ("build", "images.json", "images.json"),
        (smoke, f"smoke-{smoke.removeprefix('smoke ')}.json", "smoke.json"),
    ):
        (tmp_path / copy).write_bytes(pipeline.file(job, name))
    deploy = ["deploy", "staging", *_handed(tmp_path, "plan", "images", "smoke")]
    rc, said = project.ciforge(*deploy)
    assert rc == 1, said
    assert "billing-service" in said
    assert (_images(target), _revisions(target)) == (before, revisions)
    assert _leftovers(project) == []
    _mend(project)


def _handed(folder: Path, *names: str) -> list[str]:
    return [word for name in names for word in (f"--{name}", str(folder / f"{name}.json"))]


@pytest.mark.usefixtures("first")
def test_image_that_crashes_on_the_node_is_rolled_back(project: Workspace, target: Cluster) -> None:
    before = _images(target)
    _plant(project, _CRASHES_IN_A_CLUSTER)

    pipeline = project.pipeline()

    assert pipeline.outcomes["deploy staging"] == "FAIL", pipeline.log
    log = pipeline.logs["deploy staging"]
    assert "billing-service" in log
    assert "13" in log or "CrashLoopBackOff" in log
    assert "planted: crashes in a cluster, on purpose" in log
    assert _images(target) == before
    assert all(map(_is_ready, _pods(target).values()))
    assert _revisions(target)[-1][1] == "deployed"
    _mend(project)


@pytest.mark.usefixtures("first")
def test_killed_stations_are_finished_by_their_reruns(
    project: Workspace, target: Cluster, tmp_path: Path
) -> None:
    """Killed some seconds in, with its children, as a runner that loses its machine."""
    # New to BuildKit as well: what an earlier run has built would be over too soon.
    again = f"export const AGAIN = '{uuid.uuid4()}';"
    project.commit("Again", {_COMMON: f"{project.read(_COMMON)}\n{again}\n"})
    graph = ["--graph", "project-graph.json"]
    base = ["--base", project.before, "--format", "json"]
    plan, images, smoke = (tmp_path / f"{name}.json" for name in ("plan", "images", "smoke"))
    build = ["build", "--push", *graph, "-o", str(images), *_handed(tmp_path, "plan")]
    _done(project, ["plan", *graph, *base, "-o", str(plan)])
    _killed_and_done(project, build, 8)
    _killed_and_done(project, ["smoke", *_handed(tmp_path, "plan", "images"), "-o", str(smoke)], 8)
    _killed_and_done(
        project, ["deploy", "staging", *_handed(tmp_path, "plan", "images", "smoke")], 3
    )

    assert all(map(_is_ready, _pods(target).values()))
    wanted = {
        one["service"]: f"{one['image']}@{one['digest']}"
        for one in json.loads(images.read_text())["images"]
    }
    assert _images(target) == {name: wanted[name] for name in _SERVICES}
    assert _revisions(target)[-1][1] == "deployed"


def _done(project: Workspace, command: list[str]) -> None:
    rc, said = project.ciforge(*command)
    assert rc == 0, f"{command[0]}: {said}"


def _killed_and_done(project: Workspace, command: list[str], seconds: float) -> None:
    _start_and_kill(project, command, seconds)
    _done(project, command)
    assert _leftovers(project) == [], command[0]


def _start_and_kill(project: Workspace, command: list[str], seconds: float) -> None:
    with project.start_ciforge(*command) as process:
        time.sleep(seconds)
        assert process.poll() is None, f"it was over too soon: {process.communicate()[0]}"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_no_password_in_what_the_pipeline_leaves(first: Pipeline, project: Workspace) -> None:
    password = project.variables["CI_REGISTRY_PASSWORD"]
    assert password not in first.log
    found = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--file=-", "."],
        cwd=project.path / ".gitlab-ci-local",
        input=password,
        capture_output=True,
        text=True,
    )
    # gitlab-ci-local itself puts all variables into the scripts that it runs.
    assert [line for line in found.stdout.split() if "/scripts/" not in line] == []
