from __future__ import annotations

from ciforge.plan.levels import service_levels
from tests.builders import graph, project

P = [project(n, n) for n in ("web", "api", "lib", "auth", "db", "x", "y")]


def test_a_service_stands_above_those_it_depends_on_even_through_libraries() -> None:
    g = graph(P, [("web", "lib"), ("lib", "api"), ("api", "auth", "implicit"), ("auth", "db")])
    levels = service_levels(g, {"web": ["web"], "api": ["api"], "auth": ["auth"]})
    assert levels == {"auth": 1, "api": 2, "web": 3}


def test_services_in_a_cycle_share_a_level() -> None:
    g = graph(P, [("web", "api"), ("api", "web"), ("web", "auth")])
    assert service_levels(g, {"web": ["web"], "api": ["api"], "auth": ["auth"]}) == {
        "auth": 1,
        "api": 2,
        "web": 2,
    }


def test_projects_of_one_image_count_together() -> None:
    g = graph(P, [("y", "api")])
    levels = service_levels(g, {"both": ["x", "y"], "api": ["api"], "ready": []})
    assert levels == {"api": 1, "both": 2, "ready": 1}
