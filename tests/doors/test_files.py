"""Temporary folders, and what killed runs leave of them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ciforge.doors import files
from ciforge.doors.process import lives, start_time
from ciforge.errors import OutsideError


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_nobody_else_may_look_into_a_workplace_and_it_goes(temporary: Path) -> None:
    with files.workplace("login") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "secret").write_text("x")
    assert list(temporary.iterdir()) == []


def test_a_killed_run_is_cleaned_up_after_and_a_living_one_left_alone(temporary: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead = temporary / f"ciforge-build-{int(ended.stdout)}-1-abc"
    # The same pid as this process, which began at another time: a pid comes again.
    reused = temporary / f"ciforge-build-{os.getpid()}-1-abc"
    other = temporary / f"ciforge-login-{int(ended.stdout)}-1-abc"
    mine = temporary / f"ciforge-build-{os.getpid()}-{start_time(os.getpid())}-abc"
    for folder in (dead, reused, other, mine):
        folder.mkdir()
    with files.workplace("build"):
        pass
    assert sorted(temporary.iterdir()) == sorted([other, mine])


def test_a_full_disk_is_said_with_a_way_out(temporary: Path) -> None:
    with (
        pytest.raises(OutsideError, match="No space left") as caught,
        files.workplace("build"),
        Path("/dev/full").open("w") as full,
    ):
        full.write("x")
    assert "TMPDIR" in str(caught.value.hint)
    assert list(temporary.iterdir()) == []


def test_no_place_for_a_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    wanted = pytest.raises(OutsideError, match="no temporary folder can be made")
    with wanted, files.workplace("build"):
        raise AssertionError


def test_a_process_lives_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start = start_time(process.pid)
        assert start
        assert lives(process.pid, start)
        assert not lives(process.pid, f"{start}0")
        process.communicate(b"\n")
    assert not lives(process.pid, start)
