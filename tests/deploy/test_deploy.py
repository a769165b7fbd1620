"""`ciforge deploy` against a real cluster, a real Helm and a real registry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import msgspec
import pytest

from ciforge.plan.encode import decode_plan
from tests.deploy.ground import Ground, Shop, kill_all
from tests.gate import chain
from tests.gate.chain import sha
from tests.infra import k8s_cluster, k8s_node, registry

pytestmark = pytest.mark.docker
pytest_plugins = ["tests.infra.fixtures"]


@pytest.fixture(scope="module")
def ground(registry: registry.Login) -> Iterator[Ground]:
    from tests.infra.registry import loopback_ports

    cluster_ran, node_ran = k8s_cluster.ready(), k8s_node.ready()
    k8s_node.start(ports=loopback_ports())
    cluster = k8s_cluster.start()
    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder)
        (programs / "helm").symlink_to(cluster.helm_path)
        (programs / "kubectl").symlink_to(cluster.kubectl_path)
        ground = Ground(cluster, registry, programs)
        for name in ("api-1", "web-1", "web-2"):
            ground.push(name.partition("-")[0], name, ":8080")
        ground.push("web", "web-crash", "nonsense")
        yield ground
    if not node_ran:
        k8s_node.stop()
    if not cluster_ran:
        k8s_cluster.stop()


@pytest.fixture
def shop(ground: Ground, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    made: list[Shop] = []

    def make(**how: object) -> Shop:
        shop = Shop(ground, tmp_path, f"shop-{uuid.uuid4().hex[:8]}")
        made.append(shop)
        shop.prepare(**how)  # type: ignore[arg-type]
        return shop

    yield make
    for one in made:
        ground.cluster.kubectl("delete", "namespace", one.namespace, "--wait=false")


def _images(ground: Ground, web: str = "web-1") -> dict[str, str]:
    return {"api": ground.digests["api-1"], "web": ground.digests[web]}


# -- the usual way -------------------------------------------------------------------------


def test_install_then_nothing_to_do_then_only_what_changed(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop()
    one.write(_images(ground))
    dry = one.deploy("--dry-run")
    assert (dry.returncode, one.history(), one.lease()) == (0, [], False), dry.stderr
    assert one.report["outcome"] == "would deploy"
    schema = subprocess.run(
        [sys.executable, "-m", "ciforge", "schema", "deployment"], capture_output=True, check=True
    )
    jsonschema.Draft202012Validator(json.loads(schema.stdout)).validate(one.report)

    first = one.deploy()
    assert first.returncode == 0, first.stdout + first.stderr
    assert one.report["outcome"] == "deployed"
    assert one.history() == ["deployed"]
    before = one.pods()
    assert sorted(before.values()) == sorted(_images(ground).values())
    assert not one.lease()

    assert one.deploy().returncode == 0  # the same once more: nothing restarts
    assert one.pods() == before

    assert one.gate().returncode == 0
    (one.folder / "smoke.json").unlink()
    one.write(_images(ground), run=False)
    (one.folder / "smoke.json").unlink()  # nothing was to be tested
    assert one.gate().returncode == 1
    known = one.gate("--released", "cluster")
    assert known.returncode == 0, known.stdout
    again = one.deploy()
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert len(one.history()) == 2

    one.write(_images(ground, "web-2"))
    changed = one.deploy(GITLAB_CI="true")
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert "\x1b[0Ksection_start:" in changed.stdout
    one.wait(lambda: len(one.pods()) == 2)
    after = one.pods()
    assert len(before.keys() & after.keys()) == 1
    assert sorted(after.values()) == sorted(_images(ground, "web-2").values())
    by_name = {c["service"]: c for c in one.report["services"]}
    assert by_name["web"]["old"] == ground.digests["web-1"]
    assert by_name["web"]["new"] == ground.digests["web-2"]
    assert by_name["api"]["old"] == by_name["api"]["new"]


def test_a_red_smoke_deploys_nothing(ground: Ground, shop: Callable[..., Shop]) -> None:
    one = shop()
    one.write(_images(ground), red="web was never ready")
    done = one.deploy()
    assert done.returncode == 1
    assert "web was never ready" in done.stdout
    assert one.report["outcome"] == "refused"
    assert one.history() == []


def test_an_image_that_the_registry_lost_is_refused_by_name(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop()
    one.write({"api": ground.digests["api-1"], "web": sha("gone")})
    done = one.deploy()
    assert done.returncode == 1
    assert "web" in one.report["reason"]
    assert one.history() == []


# -- failures ------------------------------------------------------------------------------


def test_a_crashing_image_goes_back_and_the_error_names_pod_reason_and_last_line(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop(real=True, labels={"pod-security.kubernetes.io/enforce": "restricted"})
    one.write(_images(ground))
    first = one.deploy()
    assert first.returncode == 0, first.stdout + first.stderr
    one.write(_images(ground, "web-crash"), deadline=7)
    done = one.deploy()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "pod web-" in done.stderr
    assert "exit code 1" in done.stderr
    assert "missing port in address" in done.stderr
    assert one.report["outcome"] == "rolled back"
    assert one.report["trouble"][0]["pod"].startswith("web-")
    assert one.history()[-1] == "deployed"
    one.wait(lambda: sorted(one.pods().values()) == sorted(_images(ground).values()))
    assert not one.lease()


def test_a_crash_loop_ends_the_deploy_long_before_its_timeout(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop(real=True)
    one.write(_images(ground))
    assert one.deploy().returncode == 0
    one.write(_images(ground, "web-crash"), timeout=600, max_restarts=1)
    done = one.deploy()  # its own limit is far below 600 s
    assert done.returncode == 1, done.stdout + done.stderr
    assert one.report["outcome"] == "rolled back"
    assert "container web of pod web-" in one.report["reason"]
    assert "crashes again and again" in one.report["reason"]
    assert "missing port in address" in done.stderr
    assert one.history()[-1] == "deployed"
    one.wait(lambda: sorted(one.pods().values()) == sorted(_images(ground).values()))


def test_a_pod_that_dies_after_being_ready_goes_back_too(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop(real=True)
    one.write(_images(ground))
    assert one.deploy().returncode == 0
    one.write(_images(ground, "web-2"), services={"web": {"livenessPort": 9}})
    done = one.deploy("--settle", "15")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "restarted" in one.report["reason"]
    assert one.report["outcome"] == "rolled back"
    assert one.report["trouble"][0]["pod"].startswith("web-")
    assert "Liveness probe failed" in done.stderr


def test_pods_that_may_not_be_made_are_named(ground: Ground, shop: Callable[..., Shop]) -> None:
    one = shop()
    one.ground.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none", "namespace": one.namespace},
            "spec": {"hard": {"pods": "0"}},
        }
    )
    one.write(_images(ground), timeout=4)
    done = one.deploy()
    assert done.returncode == 1
    assert "FailedCreate" in done.stderr
    assert "exceeded quota" in done.stderr
    assert one.history() == ["failed"]  # the next deploy goes on from it
    one.ground.cluster.kubectl("delete", "resourcequota", "none", f"--namespace={one.namespace}")
    assert one.deploy("--timeout", "60").returncode == 0


def test_a_failing_migration_is_named_and_what_runs_goes_on(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop(real=True)
    one.write(_images(ground))
    assert one.deploy().returncode == 0
    before = one.pods()
    crash = f"{ground.login.image}/web@{ground.digests['web-crash']}"
    one.write(_images(ground, "web-2"), hook=crash)
    done = one.deploy()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "pod migrate-" in done.stderr
    assert "missing port in address" in done.stderr
    assert one.report["outcome"] == "rolled back"
    assert before.items() <= one.pods().items()


def test_a_field_changed_by_hand_is_told_with_a_way_out(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop()
    one.write(_images(ground))
    assert one.deploy().returncode == 0
    image = f"web={ground.login.image}/web@{ground.digests['web-crash']}"
    namespace = f"--namespace={one.namespace}"
    ground.cluster.kubectl("set", "image", "deployment/web", image, namespace)
    one.write(_images(ground, "web-2"))
    done = one.deploy()
    assert done.returncode == 1
    assert "going back failed alike" in done.stderr
    assert "--force-conflicts" in done.stderr
    assert not one.lease()
    ground.cluster.helm("rollback", "all-erp", "1", "--force-conflicts", "--wait", namespace)
    done = one.deploy()
    assert done.returncode == 0, done.stdout + done.stderr


# -- kills and locks -----------------------------------------------------------------------


def _stuck(one: Shop, ground: Ground, web: str) -> subprocess.Popen[str]:
    """A deploy that waits for a pod which is never ready."""
    one.write(_images(ground, web), services={"web": {"outcome": "never-ready"}})
    pods = one.pods()
    process = one.start()
    one.wait(lambda: one.history()[-1:] in (["pending-install"], ["pending-upgrade"]))
    one.wait(lambda: len(one.pods()) > len(pods))
    return process


def _expire(one: Shop) -> None:
    """What half a minute without a renewal does."""
    one.ground.cluster.kubectl(
        *("patch", "lease", "ciforge-all-erp", f"--namespace={one.namespace}"),
        *("--type=merge", "--patch", json.dumps({"spec": {"leaseDurationSeconds": 2}})),
    )


def test_kill_9_in_the_first_install_and_in_an_upgrade(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop()
    kill_all(_stuck(one, ground, "web-1"))
    assert one.history() == ["pending-install"]
    _expire(one)
    one.write(_images(ground))
    done = one.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "took over the lock" in done.stdout
    assert one.history() == ["deployed"]

    kill_all(_stuck(one, ground, "web-2"))
    assert one.history()[-1] == "pending-upgrade"
    _expire(one)
    one.write(_images(ground, "web-2"))
    done = one.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going back to revision 1" in done.stdout
    assert one.history()[-1] == "deployed"
    one.wait(lambda: sorted(one.pods().values()) == sorted(_images(ground, "web-2").values()))
    assert not one.lease()


def test_a_second_deploy_waits_and_a_signal_goes_back(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop()
    one.write(_images(ground))
    assert one.deploy().returncode == 0
    process = _stuck(one, ground, "web-2")
    second = one.deploy("--lock-timeout", "2")
    assert second.returncode == 3, second.stdout + second.stderr
    assert f"/{process.pid}" in second.stderr  # the holder is named
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 143, out
    assert "rolled back to revision 1" in out
    assert one.history()[-1] == "deployed"
    assert not one.lease()
    one.wait(lambda: sorted(one.pods().values()) == sorted(_images(ground).values()))


def test_two_at_once_come_one_after_the_other(ground: Ground, shop: Callable[..., Shop]) -> None:
    one = shop()
    one.write(_images(ground))
    both = [one.start(), one.start()]
    told = [process.communicate(timeout=100)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert one.history() == ["superseded", "deployed"]
    assert sum("is being deployed by" in out for out in told) == 1
    assert not one.lease()


def test_a_missing_namespace_is_made(ground: Ground, tmp_path: Path) -> None:
    one = Shop(ground, tmp_path, f"shop-{uuid.uuid4().hex[:8]}")
    shutil.copytree(Path(__file__).with_name("chart"), tmp_path / "chart")
    one.write(_images(ground))
    try:
        done = one.deploy()
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        ground.cluster.kubectl(
            "delete", "namespace", one.namespace, "--wait=false", "--ignore-not-found"
        )


def test_helm_ends_when_only_ciforge_is_killed(ground: Ground, shop: Callable[..., Shop]) -> None:
    one = shop()
    process = _stuck(one, ground, "web-1")
    assert _helms(one)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    one.wait(lambda: not _helms(one), seconds=10)
    # Nobody reads what it says: that ends Helm at once, and leaves what the next deploy mends.
    assert one.history() in (["failed"], ["pending-install"])


def _helms(one: Shop) -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"helm") and one.namespace.encode() in words:
            found.append(path)
    return found


def test_a_cluster_that_is_gone(ground: Ground, tmp_path: Path) -> None:
    one = Shop(ground, tmp_path, "nowhere")
    one.write(_images(ground))
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    done = one.deploy(KUBECONFIG=str(tmp_path / "config"))
    assert done.returncode == 3
    assert "does not tell of release all-erp" in done.stderr
    assert "Traceback" not in done.stderr


def test_helm_is_missing(ground: Ground, tmp_path: Path) -> None:
    one = Shop(ground, tmp_path, "nowhere")
    one.write(_images(ground))
    done = one.deploy(PATH="/nonexistent")
    assert done.returncode == 3
    assert "helm was not found" in done.stderr


# -- releases beside each other ------------------------------------------------------------


def test_a_merge_request_has_a_release_of_its_own_until_it_is_removed(
    ground: Ground, shop: Callable[..., Shop]
) -> None:
    one = shop()
    images = _images(ground)
    one.write(images)
    reviewed = decode_plan((one.folder / "plan.json").read_bytes(), "plan.json")
    deploys = [msgspec.structs.replace(d, review=True) for d in reviewed.deploys]
    host = ground.login.address
    chain.write(
        one.folder,
        msgspec.structs.replace(reviewed, deploys=deploys),
        [chain.image(name, digest, host) for name, digest in images.items()],
    )
    assert "has a release for each merge request" in one.deploy().stderr
    done = one.deploy("--instance", "review-7-ab12cd")
    assert done.returncode == 0, done.stdout + done.stderr
    assert one.report["release"] == "all-erp-review-7-ab12cd"
    assert len(one.pods()) == 2

    def remove(*arguments: str) -> str:
        command = [sys.executable, "-m", "ciforge", "deploy", "staging", "--uninstall"]
        done = subprocess.run(
            [*command, "--instance", "review-7-ab12cd", *arguments],
            capture_output=True,
            text=True,
            cwd=one.folder,
            env=ground.environment(one.folder),
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "would remove: staging (release all-erp-review-7-ab12cd)" in remove("--dry-run")
    assert len(one.pods()) == 2
    # Weeks later, when no file of the pipeline is left.
    (one.folder / "plan.json").unlink()
    named = ("--release", "all-erp", "--namespace", one.namespace)
    assert "removed: staging" in remove(*named)
    one.wait(lambda: not one.pods())
    assert "nothing to do" in remove(*named)
