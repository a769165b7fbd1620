from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ciforge.affected.closure import Closure
from ciforge.affected.touched import Touch, Touched
from ciforge.affected.why import Reason, explain
from ciforge.workspace.model import ProjectGraph
from tests.builders import graph, project

NAMES = [f"p{i}" for i in range(8)]


@st.composite
def graphs(draw: st.DrawFn) -> ProjectGraph:
    edges = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=20))
    return graph([project(n, f"libs/{n}") for n in NAMES], edges)


def told(g: ProjectGraph, touched: Touched, project_name: str) -> Reason | None:
    return explain(g, touched, Closure(g, touched), project_name)


def naive(g: ProjectGraph, touched: set[str]) -> set[str]:
    """The definition, by exhaustion: a project with an edge to an affected one is affected."""
    reached = set(touched)
    while True:
        more = {
            source
            for source, edges in g.dependencies.items()
            for edge in edges
            if edge.target in reached
        } - reached
        if not more:
            return reached
        reached |= more


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_the_closure_is_what_its_definition_says(g: ProjectGraph, touched: set[str]) -> None:
    assert set(Closure(g, touched).projects) == naive(g, touched)


@given(graphs(), st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from(NAMES))
def test_a_chain_is_a_path_and_none_is_shorter(
    g: ProjectGraph, touched: set[str], goal: str
) -> None:
    chain = Closure(g, touched).chain(goal)
    if chain is None:
        assert goal not in naive(g, touched)
        return
    assert chain[0] in touched
    assert chain[-1] == goal
    for before, after in pairwise(chain):
        assert any(e.target == before for e in g.dependencies.get(after, ()))
    ring, steps = set(touched), 0
    while goal not in ring:
        ring |= {s for s, edges in g.dependencies.items() for e in edges if e.target in ring}
        steps += 1
    assert len(chain) == steps + 1


def test_packages_lead_to_projects() -> None:
    g = graph(
        [project("api", "api"), project("web", "web")],
        [("npm:express", "npm:qs"), ("api", "npm:express")],
        {"express": "4", "qs": "6"},
    )
    assert Closure(g, ["npm:qs"]).projects == ["api"]


def test_the_reason_names_file_rule_and_edges() -> None:
    g = graph(
        [project("e2e", "e2e"), project("app", "app"), project("lib", "lib")],
        [("e2e", "app", "implicit"), ("app", "lib"), ("app", "lib", "dynamic")],
    )
    reason = told(g, {"lib": Touch("lib/x.ts", "a file of the project")}, "e2e")
    assert reason is not None
    assert reason.sentence() == "lib/x.ts → lib → app → e2e"
    assert [(s.node, s.types) for s in reason.steps] == [
        ("lib", ()),
        ("app", ("dynamic", "static")),
        ("e2e", ("implicit",)),
    ]
    assert told(g, {"e2e": Touch(None, "x")}, "lib") is None


def test_a_touched_project_needs_no_chain() -> None:
    g = graph([project("a", "a"), project("b", "b")], [("a", "b")])
    reason = told(g, {"a": Touch("a/x", "r"), "b": Touch("b/x", "r")}, "a")
    assert reason is not None
    assert reason.sentence() == "a/x → a"
