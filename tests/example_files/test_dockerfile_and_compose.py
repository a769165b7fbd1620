"""What stands beside the example's sources: its Dockerfile and its compose files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.example import EXAMPLE

pytest_plugins = ["tests.infra.fixtures"]

INFRA = {"postgres", "redis", "rabbitmq", "etcd", "minio", "milvus"}
SERVICES = {"auth-service", "billing-service", "search-service", "assistant-service", "web"}
MIGRATIONS = {"auth-service-migrate", "billing-service-migrate"}


def compose(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((EXAMPLE / name).read_text())
    return read


infra = compose("docker-compose.infra.yml")
everything = compose("docker-compose.yml")
all_services = {**infra["services"], **everything["services"]}


def test_compose_has_what_the_services_need_and_the_services() -> None:
    assert infra["services"].keys() == INFRA | {"vllm"}
    assert everything["services"].keys() == SERVICES | MIGRATIONS
    assert everything["include"] == ["docker-compose.infra.yml"]


@pytest.mark.parametrize("name", sorted(all_services.keys() - MIGRATIONS))
def test_every_server_has_a_health_check(name: str) -> None:
    assert all_services[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", sorted(all_services))
def test_ports_are_on_loopback_and_from_variables(name: str) -> None:
    for port in all_services[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+", port)


def test_volumes_are_named() -> None:
    mounts = [v for s in all_services.values() for v in s.get("volumes", [])]
    assert {m.partition(":")[0] for m in mounts} == infra["volumes"].keys()


def test_only_vllm_wants_a_gpu_and_only_when_asked() -> None:
    assert infra["services"]["vllm"]["profiles"] == ["gpu"]
    assert [n for n, s in all_services.items() if "deploy" in s] == ["vllm"]
    assert not any("vllm" in s.get("depends_on", ()) for s in all_services.values())


@pytest.mark.parametrize("name", sorted(SERVICES | MIGRATIONS))
def test_services_run_restricted(name: str) -> None:
    service = all_services[name]
    image = name.removesuffix("-migrate")
    prefix = "${CIFORGE_REGISTRY:-registry.all-erp.local/all-erp}"
    assert service["image"] == f"{prefix}/{image}:${{TAG:-latest}}"
    assert service["build"] == {"context": ".", "args": {"SERVICE": image}}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_a_service_waits_for() -> None:
    for service in everything["services"].values():
        for name, how in service.get("depends_on", {}).items():
            job = name in MIGRATIONS
            wanted = "service_completed_successfully" if job else "service_healthy"
            assert how == {"condition": wanted}


def test_env_example_names_every_variable_with_its_default() -> None:
    lines = (EXAMPLE / ".env.example").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    texts = [(EXAMPLE / f"docker-compose{part}.yml").read_text() for part in ("", ".infra")]
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", "".join(texts)))
    assert used
    assert {name: values.get(name) for name in used} == used


def test_dockerfile() -> None:
    text = (EXAMPLE / "Dockerfile").read_text()
    *_, runner = text.split("\nFROM ")
    assert "# syntax" not in text
    assert "://" not in text.replace("http://127.0.0.1:", "")
    assert "\nUSER 1000:1000\n" in runner
    assert "\nHEALTHCHECK " in runner
    assert re.search(r'\nCMD \["node", .*\]$', runner.rstrip())
    assert "target=/w" not in text, "the project graph of one service is no other's"


def test_every_service_is_the_folder_of_that_name() -> None:
    graph = json.loads((EXAMPLE / "project-graph.json").read_text())["graph"]
    for name in SERVICES:
        assert graph["nodes"][name]["data"]["root"] == f"apps/{name}"


def build(buildkit: Mapping[str, str], *options: str) -> None:
    """Plain `docker build`, by the builder that is part of the engine: the oldest that is met."""
    plain = {**os.environ, **buildkit, "BUILDX_BUILDER": "default"}
    argv = ["docker", "build", "--network=host", "--build-arg=SERVICE=auth-service"]
    done = subprocess.run(
        [*argv, *options, str(EXAMPLE)], env=plain, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def image(buildkit: Mapping[str, str]) -> Iterator[str]:
    name = f"ciforge-example-test:{uuid.uuid4().hex[:8]}"
    build(buildkit, f"--tag={name}")
    yield name
    subprocess.run(["docker", "rmi", "--force", name], env=dict(buildkit), check=False)


@pytest.mark.docker
def test_image_is_small_and_only_what_runs(image: str, buildkit: Mapping[str, str]) -> None:
    def inside(script: str) -> str:
        command = ["docker", "run", "--rm", "--network=none", "--read-only", image, "sh", "-c"]
        return subprocess.check_output([*command, script], env=dict(buildkit), text=True)

    inspected = subprocess.check_output(["docker", "inspect", image], env=dict(buildkit))
    config = json.loads(inspected)[0]["Config"]
    assert config["User"] == "1000:1000"
    assert config["Cmd"][0] == "node"
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "node"]

    assert inside("id -u; id -g").split() == ["1000", "1000"]
    assert inside("ls dist/main.js dist/migrate.js").split() == ["dist/main.js", "dist/migrate.js"]
    assert inside("find /app ! -type l ! -user root; ls -d /pnpm /w 2>/dev/null; true") == ""
    own = "find /app/apps /app/libs -path '*/node_modules' -prune -o -type f -name '*.ts' -print"
    assert inside(own) == ""
    packages = inside("ls /app/node_modules/.pnpm").split()
    assert any(name.startswith("@nestjs+core@") for name in packages)
    unwanted = ("nx@", "@nx+", "typescript@", "vitest@", "prettier@", "next@", "@types+node@")
    assert [name for name in packages if name.startswith(unwanted)] == []

    # What a registry would hold: the layers, compressed.
    save = ["docker", "save", image]
    with subprocess.Popen(save, env=dict(buildkit), stdout=subprocess.PIPE) as saved:
        packed = subprocess.check_output(["gzip", "-1"], stdin=saved.stdout)
    assert saved.returncode == 0
    assert len(packed) < 100_000_000


@pytest.mark.docker
def test_no_step_relies_on_what_another_left_in_a_cache_mount(
    buildkit: Mapping[str, str], tmp_path: Path
) -> None:
    """The packages' layer comes from the cache, the mount of each later step is an empty one."""
    fetch, later = (EXAMPLE / "Dockerfile").read_text().split("AS builder", 1)
    assert later.count("id=pnpm,") == 2
    for _ in range(2):
        later = later.replace("id=pnpm,", f"id={uuid.uuid4().hex},", 1)
    (tmp_path / "Dockerfile").write_text(f"{fetch}AS builder{later}")

    build(buildkit, f"--file={tmp_path / 'Dockerfile'}", "--output=type=cacheonly")
