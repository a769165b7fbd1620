"""`--graph-cache`, with a program in Nx's place that notes each time that it is run."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ciforge.cli.main import run
from ciforge.collect.graph import GraphChoice, find_graph
from ciforge.collect.workspace import Root
from ciforge.errors import OutsideError
from tests.builders import graph, graph_json, project
from tests.conftest import Repo

FILES: dict[str, str | bytes] = {
    ".gitignore": "node_modules\nout\n",
    "nx.json": "{}",
    "package.json": "{}",
    "package-lock.json": "{}",
    "libs/common/project.json": '{"name": "common"}',
    "libs/common/src/index.ts": "export const a = 1;\n",
    "apps/api/project.json": '{"name": "api"}',
    "apps/api/src/main.ts": "import { a } from '@o/common';\nexport const b = a;\n",
    "README.md": "# One",
}
GRAPH = graph(
    [project("api", "apps/api", "app"), project("common", "libs/common")], [("api", "common")]
)
NX = """\
#!/bin/sh
echo run >> out/runs
[ -x out/hook ] && out/hook
for argument; do
  case "$argument" in --file=*) cp out/graph.json "${argument#--file=}";; esac
done
"""


@pytest.fixture
def workspace(repo: Repo) -> Repo:
    repo.commit("Start", FILES)
    repo.write({"node_modules/.bin/nx": NX, "out/graph.json": graph_json(GRAPH)})
    (repo.path / "node_modules/.bin/nx").chmod(0o755)
    return repo


class Asked:
    """Finds the graph of a workspace, with a cache."""

    def __init__(self, repo: Repo, cache: Path) -> None:
        self.repo, self.cache = repo, cache
        self.notes: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, str | None]:
        """Where the graph came from, and why."""
        found = find_graph(Root(self.repo.path), GraphChoice(cache=self.cache))
        assert found.graph.nodes.keys() == {"api", "common"}
        self.notes = found.notes
        return found.origin.source, found.origin.reason

    @property
    def runs(self) -> int:
        return (self.repo.path / "out/runs").read_text().count("run")


@pytest.fixture
def ask(workspace: Repo, tmp_path: Path) -> Asked:
    return Asked(workspace, tmp_path / "cache")


def test_nx_runs_once_for_one_tree(ask: Asked) -> None:
    assert ask() == ("nx", "made by Nx: there is no cached graph yet")
    assert ask() == ("cache", "reused: it was made of the same files")
    assert ask.runs == 1


def test_another_body_needs_no_nx(ask: Asked) -> None:
    ask()
    main = "import { a } from '@o/common';\nexport const b = a + 1;\n"
    ask.repo.write({"apps/api/src/main.ts": main, "README.md": "# Two"})
    reused = ("cache", "reused: 2 files differ from those it was made of, and none changes it")
    assert ask() == reused
    ask.repo.commit()
    assert ask() == reused
    (ask.repo.path / "node_modules/.bin/nx").unlink()
    assert ask() == reused


def test_another_import_needs_nx_and_refreshes_the_cache(ask: Asked) -> None:
    ask()
    ask.repo.write({"apps/api/src/main.ts": "import 'x';\n"})
    reason = "made by Nx: the imports of apps/api/src/main.ts changed"
    assert ask() == ("nx", reason)
    assert ask() == ("cache", "reused: it was made of the same files")
    assert ask.runs == 2


def test_an_untracked_project_needs_nx(ask: Asked) -> None:
    ask()
    ask.repo.write({"libs/new/project.json": "{}"})
    ask.repo.write({".git/info/exclude": "libs/new\n"})  # what git leaves out, Nx does not
    assert ask()[1] == ("made by Nx: libs/new/project.json was added, and it shapes the graph")


def test_the_cache_may_lie_in_the_workspace(ask: Asked) -> None:
    ask.cache = ask.repo.path / "graph-cache"
    ask()
    assert ask()[0] == "cache"
    assert ask.repo.git("status", "--porcelain") == ""


def test_a_folder_that_was_there_keeps_its_gitignore(ask: Asked) -> None:
    ask.cache = ask.repo.path
    ask()
    assert (ask.repo.path / ".gitignore").read_text() == FILES[".gitignore"]


def test_a_workspace_in_a_folder(ask: Asked, tmp_path: Path) -> None:
    (ask.repo.path / ".git").rename(tmp_path / ".git")
    ask()
    assert ask()[0] == "cache"
    (tmp_path / ".gitignore").write_text("dist\n")
    assert "../.gitignore was added" in (ask()[1] or "")


def test_without_nx_the_doubt_is_told(ask: Asked) -> None:
    ask()
    (ask.repo.path / "node_modules/.bin/nx").unlink()
    ask.repo.write({"nx.json": "{ }"})
    with pytest.raises(OutsideError) as error:
        ask()
    said = "the cached graph can't be reused: nx.json changed, and it shapes the graph"
    assert said in (error.value.hint or "")


def test_commands_and_the_variable(
    ask: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = ["-C", str(ask.repo.path)]
    assert (
        run([*workspace, "affected", "--files", "README.md", "--graph-cache", str(ask.cache)]) == 0
    )
    monkeypatch.setenv("CIFORGE_GRAPH_CACHE", str(ask.cache))
    assert run([*workspace, "graph"]) == 0
    assert run([*workspace, "plan", "--offline"]) == 0
    assert ask.runs == 1
    assert "graph     reused: it was made of the same files" in capsys.readouterr().out
    assert run([*workspace, "plan", "--offline", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["graph"]["source"] == "cache"
    assert run(["plan", "--graph", "g.json", "--graph-cache", "c"]) == 2
    assert "not allowed with" in capsys.readouterr().err


def _index(ask: Asked, **changes: object) -> None:
    file = ask.cache / "index.json"
    file.write_bytes(msgspec.json.encode(json.loads(file.read_bytes()) | changes))


DAMAGES = {
    "no index": (lambda a: (a.cache / "index.json").unlink(), "there is no cached graph yet"),
    "no graph": (lambda a: (a.cache / "graph.json").unlink(), "there is no cached graph yet"),
    "half an index": (
        lambda a: (a.cache / "index.json").write_text('{"version": 1, "cif'),
        "the cache is damaged",
    ),
    "a list": (lambda a: (a.cache / "index.json").write_text("[]"), "the cache is damaged"),
    "no text": (lambda a: (a.cache / "index.json").write_bytes(b"\xff\0"), "the cache is damaged"),
    "deep": (lambda a: (a.cache / "index.json").write_text("[" * 99999), "the cache is damaged"),
    "another format": (lambda a: _index(a, version=2), "of another version"),
    "another ciforge": (lambda a: _index(a, ciforge="0.0.0"), "of another version"),
    "another workspace": (lambda a: _index(a, workspace="shop"), "of another workspace"),
    "another graph": (
        lambda a: (a.cache / "graph.json").write_text(graph_json(graph([]))),
        "is not the one that its index describes",
    ),
    "another environment": (lambda a: _index(a, environment=""), "a variable of the environment"),
    "another tree": (lambda a: _index(a, files={}), "was added"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_wrong_with_it_nx_runs(ask: Asked, damage: str) -> None:
    ask()
    act, reason = DAMAGES[damage]
    act(ask)
    source, said = ask()
    assert source == "nx"
    assert reason in (said or "")


def test_a_graph_of_a_tree_that_moved_is_not_kept(ask: Asked) -> None:
    ask.repo.write({"out/hook": "#!/bin/sh\necho >> README.md\n"})
    (ask.repo.path / "out/hook").chmod(0o755)
    ask()
    assert ask.notes == ("the graph is not kept: files changed while Nx made it",)
    assert not ask.cache.exists()


def test_a_doubtful_graph_is_not_kept(ask: Asked) -> None:
    ask.repo.commit("More", {"libs/more/project.json": '{"name": "more"}'})
    ask()
    assert not ask.cache.exists()


def test_a_sparse_checkout_is_no_proof(ask: Asked) -> None:
    ask()
    ask.repo.git("update-index", "--skip-worktree", "README.md")
    assert "git does not look whether README.md lies on disk" in (ask()[1] or "")


def test_a_repository_within_is_no_proof(ask: Asked) -> None:
    ask()
    ask.repo.git("init", "--quiet", "nested")
    ask.repo.write({"nested/project.json": "{}"})
    assert ask()[1] == "made by Nx: the repository nested/ has files of its own"


def test_links(ask: Asked, tmp_path: Path) -> None:
    (ask.repo.path / "linked.md").symlink_to("README.md")
    ask()
    ask.repo.write({"README.md": "# Two"})
    assert ask()[1] == "made by Nx: README.md changed, and a link leads to it"
    (ask.repo.path / "outside.md").symlink_to(tmp_path)
    assert "the link outside.md leads out of the workspace" in (ask()[1] or "")


def test_a_place_that_cannot_be_written(ask: Asked, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ask.cache = tmp_path / "file" / "cache"
    assert ask()[0] == "nx"
    assert "the graph is not kept: " in ask.notes[0]


def test_names_that_are_no_text(ask: Asked) -> None:
    name = b"caf\xe9.md"
    Path(bytes(ask.repo.path).decode(), name.decode("utf-8", "surrogateescape")).write_text("")
    ask()
    assert ask.notes == ("the graph is not kept: a file's name is no UTF-8",)


def test_nothing_of_the_machine_is_in_it(ask: Asked) -> None:
    ask()
    for file in ask.cache.iterdir():
        assert str(ask.repo.path) not in file.read_text()
