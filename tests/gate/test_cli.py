"""`ciforge gate`: files, exit codes and words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ciforge.cli.main import run
from tests.gate.chain import image, plan, sha, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, plan(), [image("api"), image("web")])
    return tmp_path


def _gate(folder: Path, *arguments: str) -> int:
    return run(["gate", *arguments, "--offline"])


def test_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _gate(folder, "staging") == 0
    told = capsys.readouterr()
    assert told.out.startswith("open: staging may get 2 images\n")
    assert told.err == ""


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _gate(folder, "staging", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["open"] is True
    assert told["digests"]["web"]["digest"] == sha("manifest web")


def test_each_edited_file_closes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("plan.json", "images.json"):
        content = (folder / name).read_text()
        (folder / name).write_text(content + " \n")
        assert _gate(folder, "staging") == 1
        assert "was made for another plan" in capsys.readouterr().out or name == "images.json"
        (folder / name).write_text(content)
    assert _gate(folder, "staging") == 0


def test_red(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, plan(), [image("api"), image("web")], red="web was never ready")
    assert _gate(folder, "staging") == 1
    out = capsys.readouterr().out
    assert "closed" in out
    assert "web was never ready" in out


@pytest.mark.parametrize("name", ["plan.json", "images.json", "smoke.json"])
@pytest.mark.parametrize("content", ["{}", "", "[", '{"version": 99}', '{"version": 1}', "\0"])
def test_a_broken_file_or_another_version(
    folder: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_text(content)
    assert _gate(folder, "staging") == 2
    told = capsys.readouterr().err
    assert name in told
    assert "make it anew: ciforge" in told


@pytest.mark.parametrize("name", ["plan.json", "images.json"])
def test_a_missing_file(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / name).unlink()
    assert _gate(folder, "staging") == 2
    assert "no such file" in capsys.readouterr().err


def test_a_missing_smoke_closes_and_a_named_one_is_an_error(folder: Path) -> None:
    (folder / "smoke.json").rename(folder / "result.json")
    assert _gate(folder, "staging") == 1
    assert _gate(folder, "staging", "--smoke", "smoke.json") == 2
    assert _gate(folder, "staging", "--smoke", "res*.json") == 0
    assert _gate(folder, "staging", "--smoke", str(folder / "res*.json")) == 0
    assert _gate(folder, "staging", "--smoke", "**x") == 2


def test_an_unknown_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _gate(folder, "produktion") == 2
    assert "did you mean 'production'?" in capsys.readouterr().err


def test_released_values_count_as_tested(folder: Path) -> None:
    smoke = json.loads((folder / "smoke.json").read_text())
    smoke["suites"][0]["images"] = smoke["suites"][0]["images"][:1]
    (folder / "smoke.json").write_text(json.dumps(smoke))
    assert _gate(folder, "staging") == 1
    values = {"services": {"web": {"image": {"digest": sha("manifest web")}}}}
    (folder / "values.json").write_text(json.dumps(values))
    assert _gate(folder, "staging", "--released", "values.json") == 0
    assert _gate(folder, "staging", "--released", "absent.json") == 2


def test_a_registry_that_is_down_is_no_verdict(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = "127.0.0.1:1"
    write(folder, plan(host=host), [image("api", host=host), image("web", host=host)])
    assert run(["gate", "staging"]) == 3
    assert "can't be reached" in capsys.readouterr().err
