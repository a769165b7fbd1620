"""The gate opens for one chain of equal digests, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.errors import InputError
from ciforge.gate.decide import Decision, decide
from ciforge.plan.model import Plan
from ciforge.results.model import BuiltImage, Images, Smoke, SuiteResult
from ciforge.results.model import TestedImage as Ran  # pytest would collect it by its name
from tests.gate.chain import IMAGES_SHA, PLAN_SHA, image, open_state, ran, sha


@dataclass
class State:
    plan: Plan
    images: Images
    smokes: dict[str, Smoke]

    def decide(self, **changes: Any) -> Decision:
        given: dict[str, Any] = {
            "plan": self.plan,
            "plan_sha": PLAN_SHA,
            "images": self.images,
            "images_sha": IMAGES_SHA,
            "smokes": self.smokes,
            "environment": "staging",
        }
        return decide(**(given | changes))

    def with_image(self, name: str, **changes: Any) -> State:
        images = [
            msgspec.structs.replace(i, **changes) if i.service == name else i
            for i in self.images.images
        ]
        return State(
            self.plan, msgspec.structs.replace(self.images, images=images), dict(self.smokes)
        )

    def with_suite(self, suite: str, **changes: Any) -> State:
        smokes = {
            file: msgspec.structs.replace(
                smoke,
                suites=[
                    msgspec.structs.replace(s, **changes) if s.suite == suite else s
                    for s in smoke.suites
                ],
            )
            for file, smoke in self.smokes.items()
        }
        return State(self.plan, self.images, smokes)

    def with_smoke(self, file: str, **changes: Any) -> State:
        changed = msgspec.structs.replace(self.smokes[file], **changes)
        return State(self.plan, self.images, self.smokes | {file: changed})

    def with_service(self, name: str, **changes: Any) -> State:
        services = [
            msgspec.structs.replace(s, **changes) if s.name == name else s
            for s in self.plan.services
        ]
        plan = msgspec.structs.replace(self.plan, services=services)
        return State(plan, self.images, dict(self.smokes))


@pytest.fixture
def state() -> State:
    return State(*open_state())


def _subjects(decision: Decision) -> list[str]:
    return [refusal.subject for refusal in decision.refusals]


def _only(decision: Decision, subject: str, *words: str) -> None:
    assert not decision.open
    assert set(_subjects(decision)) == {subject}
    told = " ".join(f"{r.what} {r.hint}" for r in decision.refusals)
    for word in words:
        assert word in told


# -- open ----------------------------------------------------------------------------------


def test_one_chain_of_equal_digests_is_open(state: State) -> None:
    decision = state.decide()
    assert decision.refusals == ()
    assert decision.open
    assert decision.digests == {
        name: (f"registry.test/all-erp/{name}", sha(f"manifest {name}")) for name in ("api", "web")
    }
    assert decision.warnings == ()


def test_a_ready_image_needs_no_entry(state: State) -> None:
    assert "vllm" in state.plan.deployed
    assert "vllm" not in {i.service for i in state.images.images}
    assert state.decide().open


def test_what_the_environment_runs_already_needs_no_new_test(state: State) -> None:
    untested = state.with_suite("default", images=[ran("api")])
    assert untested.decide(released={"web": sha("manifest web")}).open
    _only(untested.decide(released={"web": sha("other")}), "web", sha("other")[:19])
    _only(untested.decide(released=None), "web", "--released cluster")


# -- the environment -----------------------------------------------------------------------


def test_an_unknown_environment_is_an_error_with_the_nearest_name(state: State) -> None:
    with pytest.raises(InputError) as raised:
        state.decide(environment="stagin")
    assert "did you mean 'staging'?" in (raised.value.hint or "")


# -- files of another pipeline -------------------------------------------------------------


def test_images_of_another_plan(state: State) -> None:
    decision = state.decide(plan_sha=sha("edited"))
    assert _subjects(decision)[:1] == ["api"]
    assert {"images.json", "smoke.json"} <= set(_subjects(decision))


def test_edited_images(state: State) -> None:
    decision = state.decide(images_sha=sha("edited"))
    assert "smoke.json" in _subjects(decision)
    assert "other images" in " ".join(r.what for r in decision.refusals)


def test_a_smoke_without_images(state: State) -> None:
    assert "smoke.json" in _subjects(state.with_smoke("smoke.json", images=None).decide())


def test_one_foreign_file_among_good_ones_closes(state: State) -> None:
    foreign = msgspec.structs.replace(state.smokes["smoke.json"], plan=sha("foreign"))
    state.smokes["smoke-old.json"] = foreign
    _only(state.decide(), "smoke-old.json", "another plan")


def test_an_image_that_the_plan_does_not_know(state: State) -> None:
    state.images.images.append(image("stranger"))
    _only(state.decide(), "stranger", "not in the plan")


def test_a_suite_that_the_plan_does_not_know(state: State) -> None:
    state.smokes["smoke.json"].suites.append(
        SuiteResult(suite="mine", verdict="passed", reason="all well")
    )
    _only(state.decide(), "mine")


# -- images --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": None, "image_id": "sha256:1"}, ["not pushed"]),
        (
            {"input_digest": sha("x")},
            ["was built from inputs", sha("x")[:19], sha("inputs web")[:19]],
        ),
        ({"image": "registry.test/evil/web"}, ["registry.test/evil/web"]),
    ],
)
def test_an_image_that_is_not_what_was_planned(
    state: State, changes: dict[str, Any], words: list[str]
) -> None:
    _only(state.with_image("web", **changes).decide(), "web", *words)


def test_a_missing_image(state: State) -> None:
    state.images.images[:] = [i for i in state.images.images if i.service != "web"]
    _only(state.decide(), "web", "missing in images.json")


def test_an_image_that_stands_there_twice(state: State) -> None:
    state.images.images.append(image("web", digest=sha("other")))
    _only(state.decide(), "web", "2 times")


def test_images_that_were_not_pushed(state: State) -> None:
    state.images = msgspec.structs.replace(state.images, pushed=False)
    assert _subjects(state.decide()) == ["api", "web"]


def test_a_reused_image_whose_tag_was_moved(state: State) -> None:
    moved = state.with_service("web", image_digest=sha("before"))
    assert moved.with_image("web", action="built").decide().open
    reused = moved.with_image("web", action="reused")
    _only(reused.decide(), "web", sha("before")[:19], sha("manifest web")[:19])
    same = state.with_service("web", image_digest=sha("manifest web"))
    assert same.with_image("web", action="reused").decide().open


# -- suites --------------------------------------------------------------------------------


def test_a_red_suite(state: State) -> None:
    decision = state.with_suite("default", verdict="failed", reason="web is not ready").decide()
    assert "default" in _subjects(decision)
    assert "web is not ready" in " ".join(r.what for r in decision.refusals)


def test_a_red_suite_closes_although_another_file_calls_it_green(state: State) -> None:
    red = state.with_suite("default", verdict="failed", reason="no").smokes["smoke.json"]
    state.smokes["smoke-2.json"] = red
    _only(state.decide(), "default", "failed")


def test_no_smoke_at_all(state: State) -> None:
    decision = State(state.plan, state.images, {}).decide()
    assert _subjects(decision) == ["api", "default", "gpu", "web"]


def test_a_suite_that_was_not_run(state: State) -> None:
    _only(
        state.with_suite("gpu", verdict="not run", reason="no GPU here").decide(),
        "gpu",
        "no GPU here",
        "--allow-not-run gpu",
    )


def test_a_gpu_suite_is_let_through_loudly(state: State) -> None:
    missing = state.with_suite("gpu", verdict="not run", reason="no GPU here")
    decision = missing.decide(allow_not_run=["gpu"])
    assert decision.open
    assert "gpu was not run" in " ".join(decision.warnings)


def test_what_only_a_missing_gpu_suite_tests_goes_out_untested_and_is_named() -> None:
    state = State(*open_state(gpu_services=["web"]))
    missing = state.with_suite("gpu", verdict="not run", reason="none").with_suite(
        "default", images=[ran("api")]
    )
    assert not missing.decide().open
    decision = missing.decide(allow_not_run=["gpu"])
    assert decision.open
    assert "web goes out UNTESTED" in " ".join(decision.warnings)


def test_a_failed_gpu_suite_is_never_let_through(state: State) -> None:
    red = state.with_suite("gpu", verdict="failed", reason="out of memory")
    _only(red.decide(allow_not_run=["gpu"]), "gpu", "out of memory")


@pytest.mark.parametrize("suite", ["default", "no such"])
def test_only_gpu_suites_may_be_missing(state: State, suite: str) -> None:
    with pytest.raises(InputError):
        state.decide(allow_not_run=[suite])


@pytest.mark.parametrize(
    "other",
    [
        Ran(service="web", reference=f"r/web@{sha('x')}", digest=sha("x")),
        Ran(service="web", reference=f"r/web@{sha('x')}", digest=sha("manifest web")),
        Ran(service="web", reference=f"r/web@{sha('manifest web')}", digest=sha("x")),
        Ran(service="web", reference="sha256:abc", digest=None),
    ],
)
def test_another_image_was_tested(state: State, other: Ran) -> None:
    changed = state.with_suite("default", images=[ran("api"), other])
    released = {"web": sha("manifest web")}
    _only(changed.decide(released=released), "web", "suite default tested")


# -- of all states -------------------------------------------------------------------------


def _places() -> list[tuple[str, str]]:
    kinds = ["planned input", "built input", "built", "tested", "tested reference"]
    return [(kind, name) for kind in kinds for name in ("api", "web")]


@given(st.sampled_from(_places()), st.binary(min_size=1, max_size=8))
def test_any_one_digest_that_differs_closes_and_names_the_service(
    place: tuple[str, str], seed: bytes
) -> None:
    kind, name = place
    other = sha(f"mutated {seed.hex()}")
    state = State(*open_state())
    if kind == "planned input":
        state = state.with_service(name, digest=other)
    elif kind == "built input":
        state = state.with_image(name, input_digest=other)
    elif kind == "built":
        state = state.with_image(name, digest=other)
    else:
        images = [ran("api"), ran("web")]
        change = {"digest": other} if kind == "tested" else {"reference": f"r/x@{other}"}
        images = [
            msgspec.structs.replace(i, **change) if i.service == name else i  # type: ignore[arg-type]
            for i in images
        ]
        state = state.with_suite("default", images=images)
    decision = state.decide(released={n: sha(f"manifest {n}") for n in ("api", "web")})
    assert not decision.open
    assert set(_subjects(decision)) == {name}
    assert other[:19] in " ".join(r.what for r in decision.refusals)


_DIGEST = st.sampled_from([sha("a"), sha("b")])


@given(
    planned=_DIGEST,
    built_from=_DIGEST,
    built=st.none() | _DIGEST,
    tested_digest=st.none() | _DIGEST,
    verdict=st.sampled_from(["passed", "failed", "not run"]),
    released=st.none() | _DIGEST,
    plan_sha=_DIGEST,
    images_plan=_DIGEST,
    smoke_plan=_DIGEST,
    images_sha=_DIGEST,
    smoke_images=st.none() | _DIGEST,
)
def test_open_means_that_all_agree(
    planned: str,
    built_from: str,
    built: str | None,
    tested_digest: str | None,
    verdict: Any,
    released: str | None,
    plan_sha: str,
    images_plan: str,
    smoke_plan: str,
    images_sha: str,
    smoke_images: str | None,
) -> None:
    state = State(*open_state()).with_service("web", digest=planned)
    state = state.with_image("web", input_digest=built_from, digest=built)
    web = Ran(service="web", reference="x", digest=tested_digest)
    state = state.with_suite("default", images=[ran("api"), web], verdict=verdict)
    state.images = msgspec.structs.replace(state.images, plan=images_plan)
    state = state.with_smoke("smoke.json", plan=smoke_plan, images=smoke_images)
    decision = state.decide(
        plan_sha=plan_sha,
        images_sha=images_sha,
        released={"web": released} if released else {},
    )
    whole = (
        plan_sha == images_plan == smoke_plan
        and images_sha == smoke_images
        and planned == built_from
        and built is not None
        and built == tested_digest
        and verdict == "passed"
    )
    assert decision.open == whole
    assert list(decision.refusals) == sorted(decision.refusals)


def test_every_refusal_says_what_to_do(state: State) -> None:
    built = BuiltImage(
        service="web", action="built", reason="", input_digest=sha("x"), image="x", digest=None
    )
    state.images.images[:] = [built]
    decision = State(state.plan, state.images, {}).decide(plan_sha=sha("y"))
    assert len(decision.refusals) >= 6
    assert all(r.subject and r.what and r.hint for r in decision.refusals)
