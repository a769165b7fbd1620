"""What a suite starts, recognises and reports, without an engine."""

from __future__ import annotations

import math
import threading
import time
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from ciforge.doors.docker import Container
from ciforge.errors import InputError
from ciforge.results.model import Check, Smoke, SuiteResult
from ciforge.smoke.asking import Asking, Question
from ciforge.smoke.judge import result, state_check
from ciforge.smoke.junit import junit
from ciforge.smoke.model import closure, mask, owners, ran_to_end, secrets
from ciforge.smoke.override import Frame, override
from ciforge.smoke.owner import Owner, project_name, stale
from ciforge.smoke.questions import AnswerError
from ciforge.smoke.recognise import recognise
from ciforge.smoke.select import check_origin, chosen_suites, exact_images, subjects
from tests.smoke.builders import PLAN_SHA, built, digest, images, plan, service, suite

# Which suites, which images


def test_the_plan_says_which_suites_run_and_a_name_overrules_it() -> None:
    made = plan([service("web")], [suite("a", "web"), suite("b", "web", run=False)])

    assert [s.suite for s in chosen_suites(made, [])] == ["a"]
    assert [s.suite for s in chosen_suites(made, ["b"])] == ["b"]


def test_an_unknown_suite_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="no smoke suite 'defualt'") as refused:
        chosen_suites(plan([], [suite("default", "web")]), ["defualt"])

    assert refused.value.hint == "did you mean 'default'? it has: default"


def test_images_of_another_plan_are_refused() -> None:
    check_origin(images(), PLAN_SHA, "images.json")
    with pytest.raises(InputError, match=r"images\.json: was made for another plan"):
        check_origin(images(), digest("f"), "images.json")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "images.json: has no image of 'web'"),
        ([built("web", input_digest=digest("c"))], "image of 'web' was built from other inputs"),
        ([built("web", digest=None)], "'web' has neither a digest nor an engine's id"),
    ],
)
def test_an_image_that_is_not_the_plans_is_refused_by_name(found: list[Any], message: str) -> None:
    tested = suite("default", "web")
    with pytest.raises(InputError, match=message):
        subjects(tested, plan([service("web")], [tested]), images(*found), "images.json")


def test_images_are_taken_by_digest_or_by_the_engines_id_and_ready_ones_as_planned() -> None:
    tested = suite("default", "web", "api", "vllm")
    vllm = service("vllm", kind="image", image="h:5000/vllm:v1", image_digest=digest("d"))
    made = plan([service("web"), service("api"), vllm], [tested])
    api = built("api", digest=None, image_id=digest("e"))

    found = subjects(tested, made, images(built("web"), api), "images.json")

    assert [s.reference for s in found] == [
        f"registry.example/erp/web@{digest('b')}",
        digest("e"),
        f"h:5000/vllm@{digest('d')}",
    ]
    assert [s.ready for s in found] == ["/health/ready", "/health/ready", None]


_IMAGES = {"web": "r/web", "api": "r/api:1", "api-migrate": "r/api:1", "db": "postgres"}


def test_services_of_ours_that_others_need_get_their_exact_image_too() -> None:
    tested = suite("default", "web")
    made = plan([service("web"), service("api")], [tested])
    compose = {name: {"image": image} for name, image in _IMAGES.items()}
    who = owners({"services": compose}, sorted(compose), {"web", "api"})

    found = exact_images(who, made, images(built("web"), built("api")), "images.json")

    api = f"registry.example/erp/api@{digest('b')}"
    assert found == {"web": api.replace("/api@", "/web@"), "api": api, "api-migrate": api}
    with pytest.raises(InputError, match="has no image of 'api'"):
        exact_images(who, made, images(built("web")), "images.json")


# The compose model

_MODEL: dict[str, Any] = {
    "services": {
        "web": {
            "image": "web:latest",
            "build": {"context": "."},
            "container_name": "web",
            "ports": [{"target": 3000, "published": "3000"}, {"target": 53, "protocol": "udp"}],
            "depends_on": {"db": {"condition": "service_healthy"}},
        },
        "db": {
            "image": "postgres:17-alpine",
            "environment": {"POSTGRES_PASSWORD": "a$$b-c", "POSTGRES_USER": "erp"},
            "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
        },
        "migrate": {"image": "node:22"},
        "other": {"image": "redis:8"},
    },
    "volumes": {"data": {"name": "shared"}, "outer": {"name": "outer", "external": True}},
    "networks": {"default": {"name": "x_default"}},
}


def test_only_what_a_suite_needs_is_started() -> None:
    assert closure(_MODEL, ["web"], "compose.yml") == ["db", "migrate", "web"]
    assert ran_to_end(_MODEL) == {"migrate"}


def test_a_service_that_compose_does_not_have_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"compose\.yml: has no service 'wep'") as refused:
        closure(_MODEL, ["wep"], "compose.yml")

    assert "did you mean 'web'?" in str(refused.value.hint)


class _Loader(yaml.SafeLoader):
    """Reads Compose's tags as pairs."""


_Loader.add_multi_constructor(
    "!", lambda loader, tag, node: (tag, loader.construct_object(_plain(node), deep=True))
)


def _plain(node: yaml.Node) -> yaml.Node:
    kind = {"sequence": "seq", "mapping": "map", "scalar": "null"}[node.id]
    return type(node)(f"tag:yaml.org,2002:{kind}", node.value)


def test_the_override_leaves_nothing_that_two_runs_could_share() -> None:
    frame = Frame("p", {"owner": "me"})
    text = override(_MODEL, ["db", "web"], {"web": f"web@{digest('b')}"}, {"web": 3000}, frame)

    document = yaml.load(text, _Loader)

    assert document == {
        "services": {
            "web": {
                "image": f"web@{digest('b')}",
                "pull_policy": "missing",
                "restart": "no",
                "build": ("reset", None),
                "container_name": ("reset", None),
                "labels": {"owner": "me"},
                "ports": ("override", ["127.0.0.1::53/udp", "127.0.0.1::3000/tcp"]),
            },
            "db": {"labels": {"owner": "me"}, "ports": ("override", ["127.0.0.1::5432/tcp"])},
        },
        "volumes": {
            "data": {"name": "p_data", "labels": {"owner": "me"}},
            "outer": ("override", {"name": "p_outer", "labels": {"owner": "me"}}),
        },
        "networks": {"default": {"name": "p_default", "labels": {"owner": "me"}}},
    }


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"image": "postgres:17-alpine"}, ("postgres", "postgres", "", "postgres")),
        (
            {
                "image": "docker.io/bitnami/postgresql@sha256:00",
                "environment": {"POSTGRESQL_USERNAME": "u", "POSTGRESQL_PASSWORD": "p"},
            },
            ("postgres", "u", "p", "u"),
        ),
        (
            {"image": "redis:8", "command": ["redis-server", "--requirepass", "p$$1"]},
            ("redis", "", "p$1", ""),
        ),
        (
            {
                "image": "valkey/valkey",
                "command": ["sh", "-c", 'exec valkey-server --requirepass "$${WORD}"'],
                "environment": {"WORD": "p"},
            },
            ("redis", "", "p", ""),
        ),
        ({"image": "h:5000/rabbitmq:4"}, ("rabbitmq", "guest", "guest", "/")),
        ({"image": "minio/minio"}, ("minio", "minioadmin", "minioadmin", "")),
        ({"image": "milvusdb/milvus:v2.3.5"}, ("milvus", "root", "Milvus", "")),
        ({"image": "vllm/vllm-openai:v1", "command": ["--api-key", "k"]}, ("vllm", "", "k", "")),
    ],
)
def test_dependencies_are_recognised_by_their_image(
    definition: dict[str, Any], expected: tuple[str, ...]
) -> None:
    found = recognise("x", definition)

    assert found is not None
    assert (found.kind, found.user, found.password, found.space) == expected
    assert not found.password or f"password={found.password!r}" not in repr(found)


@pytest.mark.parametrize("image", ["node:22", "redis-exporter:1", "my/postgres-backup", ""])
def test_what_only_looks_like_a_dependency_is_none(image: str) -> None:
    assert recognise("x", {"image": image}) is None


def test_no_secret_stays_in_a_log_line() -> None:
    assert secrets(_MODEL) == ["a$b-c"]
    assert mask("postgres://erp:a$b-c@db", secrets(_MODEL)) == "postgres://erp:***@db"


# Whose is what


def test_only_what_dead_runs_left_is_stale() -> None:
    def owned(name: str, host: str, pid: int, until: int = 1000) -> tuple[str, str]:
        return project_name(name, "1"), Owner(host, pid, "77", until).label()

    found = [
        owned("dead", "here", 1),
        owned("alive", "here", 2),
        owned("again", "here", 2),
        (project_name("again", "1"), Owner("here", 2, "66", 1000).label()),
        owned("kept", "here", 1, until=0),
        owned("far", "there", 1),
        owned("far-and-old", "there", 1, until=10),
        ("somebody-elses", Owner("here", 1, "77", 1000).label()),
        (project_name("odd", "1"), "who knows"),
    ]

    dead = stale(found, "here", 1500, lambda pid, start: (pid, start) == (2, "77"))

    assert dead == ["ciforge-smoke-dead-1", "ciforge-smoke-far-and-old-1"]


# Containers


@pytest.mark.parametrize(
    ("state", "health", "exit_code", "limit", "outcome", "message"),
    [
        ("running", "", 0, None, "passed", ""),
        ("running", "healthy", 0, None, "passed", ""),
        ("running", "unhealthy", 0, None, "failed", "unhealthy (503)"),
        ("running", "starting", 0, 60, "failed", "not healthy within 60 s (503)"),
        ("running", "starting", 0, None, "skipped", "was still starting when another one failed"),
        ("exited", "", 3, None, "failed", "exited with code 3 (503)"),
        ("exited", "", 0, None, "failed", "exited with code 0 (503)"),
        ("restarting", "", 1, None, "failed", "ends with code 1, again and again (503)"),
        ("created", "", 0, None, "failed", "could not be started (503)"),
    ],
)
def test_a_containers_state_is_judged(
    state: str, health: str, exit_code: int, limit: int | None, outcome: str, message: str
) -> None:
    container = Container("1", "p-web-1", "web", state, health, exit_code, {}, "503")

    check = state_check(container, {"migrate"}, 1, limit)

    assert (check.outcome, check.message) == (outcome, message)


def test_a_migration_that_ended_is_no_fault_and_nothing_started_is_no_success() -> None:
    done = Container("1", "p-migrate-1", "migrate", "exited", "", 0, {})

    check = state_check(done, {"migrate"}, 1, None)

    assert (check.name, check.outcome) == ("ended well", "passed")
    assert result("default", [], [check], 1).verdict == "passed"
    assert result("default", [], [], 1).verdict == "failed"


# Asking


class _Unanswered:
    """A question that is never answered, and counts how often it was asked."""

    def __init__(self, patience: float, deadline: float = math.inf) -> None:
        self.tries = threading.Semaphore(0)
        self.question = Question("a key", "redis", self._ask, patience, deadline)

    def _ask(self) -> None:
        self.tries.release()
        raise AnswerError("no key of secret")


def _hide(text: str) -> str:
    return text.replace("secret", "***")


def test_patience_is_counted_from_when_everything_has_started() -> None:
    slow = _Unanswered(patience=0)
    with Asking(1, _hide) as asking:
        asking.ask([slow.question])
        for _ in range(3):
            assert slow.tries.acquire(timeout=60)
        assert asking.answered() == []
        (check,) = asking.answers(dict)
        assert asking.answered() == [check]

    assert check.outcome == "failed"
    assert check.message.startswith("no key of ***, still after ")


def test_a_question_that_is_known_is_not_asked_again() -> None:
    asked: list[str] = []
    question = Question("a key", "redis", lambda: asked.append("redis"), math.inf, math.inf)
    with Asking(1, _hide) as asking:
        for _ in range(2):
            asking.ask([question])
            (check,) = asking.answers(dict)
            assert (check.outcome, asked) == ("passed", ["redis"])


@pytest.mark.timeout(60)
def test_nothing_is_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ciforge.smoke.asking._LOOK", 0)
    late, fallen = _Unanswered(math.inf, deadline=0), _Unanswered(math.inf)
    with Asking(1, _hide) as asking:
        asking.ask([late.question])
        (check,) = asking.answers(dict)
        assert check.message.startswith("no key of ***, still after ")
    with Asking(1, _hide) as asking:
        asking.ask([fallen.question])
        (check,) = asking.answers(lambda: {"redis": "exited with code 3"})
        assert check.message == "exited with code 3 (no key of ***)"
    with Asking(1, _hide) as asking:
        asking.ask([fallen.question])
    while not asking.answered():
        time.sleep(0.01)


# JUnit


def test_junit_holds_every_check_whatever_a_log_says() -> None:
    failed = Check(
        name="ready",
        subject="web",
        outcome="failed",
        message="exited <&> \x00",
        log=["\x1b[31mred\x1b[0m", "\ud800 ]]> \ufffe", "last"],
    )
    skipped = Check(name="a row", subject="db", outcome="skipped", message="not asked")
    one = SuiteResult(suite="default", verdict="failed", reason="", checks=[failed, skipped])
    two = SuiteResult(suite="gpu", verdict="not run", reason="no GPU")

    root = ElementTree.fromstring(
        junit(Smoke(ciforge="0", plan=PLAN_SHA, images=None, suites=[one, two]))
    )

    first, second = root.findall("testsuite")
    assert (first.get("tests"), first.get("failures"), first.get("skipped")) == ("2", "1", "1")
    failure = first.find("testcase/failure")
    assert failure is not None
    assert failure.text == "\n".join(
        ["exited <&> \\x00", "\\x1b[31mred\\x1b[0m", "\\ud800 ]]> \\ufffe", "last"]
    )
    assert second.find("testcase/skipped") is not None
