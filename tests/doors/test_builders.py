"""What the builders are asked to do: argument lists, never a shell."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ciforge.doors import buildah, buildctl
from ciforge.doors.builder import Build, BuildError, explain
from ciforge.errors import OutsideError

DIGEST = "sha256:" + "a" * 64
RECORDER = """\
#!/usr/bin/env python3
import json, os, sys
with open({record!r}, "a") as stream:
    print(json.dumps(sys.argv), file=stream)
for word in sys.argv:
    if word.startswith("--metadata-file="):
        open(word.partition("=")[2], "w").write(json.dumps({{"containerimage.digest": {digest!r}}}))
    if word.startswith("--digestfile="):
        open(word.partition("=")[2], "w").write({digest!r})
print("Error: it is broken" if {code} else "done")
sys.exit({code})
"""


class Programs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = folder / "calls"

    def add(self, *names: str, code: int = 0) -> None:
        for name in names:
            program = self.folder / name
            text = RECORDER.format(record=str(self.record), digest=DIGEST, code=code)
            program.write_text(text)
            program.chmod(0o755)

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"}

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def wanted(folder: Path, *platforms: str) -> Build:
    return Build(
        service="api",
        context=folder / "context",
        dockerfile="apps/api/Dockerfile",
        args={"SERVICE": "$(reboot)", "A": "b c"},
        platforms=list(platforms or ["linux/amd64"]),
        contexts={"node:22": f"docker-image://node:22@{DIGEST}"},
    )


OUTPUT = "type=image,name=r/api,push=true"


def test_buildctl(programs: Programs, tmp_path: Path) -> None:
    programs.add("buildctl", "buildctl-daemonless.sh")
    what = wanted(tmp_path)
    lines: list[str] = []
    assert buildctl.build(what, OUTPUT, tmp_path / "meta", lines.append, programs.env) == DIGEST
    assert lines == ["done"]
    (call,) = programs.calls
    assert Path(call[0]).name == "buildctl-daemonless.sh"
    assert call[1:] == [
        "build",
        "--progress=plain",
        "--frontend=dockerfile.v0",
        f"--local=context={tmp_path}/context",
        f"--local=dockerfile={tmp_path}/context/apps/api",
        "--opt=filename=Dockerfile",
        "--opt=platform=linux/amd64",
        "--opt=build-arg:SERVICE=$(reboot)",
        "--opt=build-arg:A=b c",
        f"--opt=context:node:22=docker-image://node:22@{DIGEST}",
        "--output=type=image,name=r/api,push=true",
        f"--metadata-file={tmp_path}/meta",
    ]
    asked = {**programs.env, "BUILDKIT_HOST": "tcp://buildkit:1234"}
    buildctl.build(what, OUTPUT, tmp_path / "meta", lines.append, asked)
    assert Path(programs.calls[-1][0]).name == "buildctl"


def test_buildah(programs: Programs, tmp_path: Path) -> None:
    programs.add("buildah")
    name, file = "r/api:unchecked-in-1", tmp_path / "d"
    digest = buildah.build(
        wanted(tmp_path), name, file, lambda _: None, programs.env, insecure=True
    )
    assert digest == DIGEST
    built, pushed = programs.calls
    assert built[1:5] == ["build", "--format=oci", "--timestamp=0", "--tls-verify=false"]
    assert "--build-arg=SERVICE=$(reboot)" in built
    assert f"--build-context=node:22=docker-image://node:22@{DIGEST}" in built
    assert built[-2:] == ["--tag=r/api:unchecked-in-1", f"{tmp_path}/context"]
    assert pushed[1:] == [
        "push",
        f"--digestfile={tmp_path}/d",
        "--tls-verify=false",
        "r/api:unchecked-in-1",
        "docker://r/api:unchecked-in-1",
    ]


def test_buildah_for_several_platforms(programs: Programs, tmp_path: Path) -> None:
    programs.add("buildah")
    what, file = wanted(tmp_path, "linux/amd64", "linux/arm64"), tmp_path / "d"
    buildah.build(what, "r/api:x", file, lambda _: None, programs.env, insecure=False)
    built, pushed = programs.calls
    assert "--platform=linux/amd64,linux/arm64" in built
    assert "--manifest=r/api:x" in built
    assert not any(word.startswith("--tls-verify") for word in built + pushed)
    assert pushed[1:4] == ["manifest", "push", "--all"]


def test_a_failure_is_a_verdict_on_the_service(programs: Programs, tmp_path: Path) -> None:
    programs.add("buildctl-daemonless.sh", code=1)
    what = wanted(tmp_path)
    with pytest.raises(BuildError, match="api: it is broken"):
        buildctl.build(what, OUTPUT, tmp_path / "meta", lambda _: None, programs.env)


def test_a_missing_builder_is_named(tmp_path: Path) -> None:
    what = wanted(tmp_path)
    with pytest.raises(OutsideError, match=r"buildctl-daemonless\.sh can't be started"):
        buildctl.build(what, OUTPUT, tmp_path / "meta", lambda _: None, {"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("a\nERROR: failed to solve: process did not complete: exit code: 1", BuildError),
        ("Error: building at STEP", BuildError),
        ("error: failed to solve: 401 Unauthorized", OutsideError),
        ("[rootlesskit:parent] error: failed to start the child: fork: permission", OutsideError),
        ("write /x: no space left on device", OutsideError),
        ("the build said 403\nError: exit status 1", BuildError),
        ("", BuildError),
    ],
)
def test_who_is_at_fault(output: str, kind: type[Exception]) -> None:
    assert type(explain(output, {}, "api")) is kind
