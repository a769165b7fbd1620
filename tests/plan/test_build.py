from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.affected.touched import Touch
from ciforge.affected.why import Reason, Step
from ciforge.config.model import Config
from ciforge.digest.diff import EntryChange
from ciforge.errors import InputError
from ciforge.plan.build import Circumstances, Evidence, make_plan
from ciforge.plan.encode import decode_plan, encode_plan
from ciforge.plan.model import Head, Plan, PlanBase, RegistryAnswer, ServicePlan, plan_schema
from ciforge.workspace.services import Service

CHANGE = EntryChange("changed", "file", "libs/common/src/x.ts", "100644 a", "100644 b")
REASON = Reason(
    Touch("libs/common/src/x.ts", "a file of the project"),
    (Step("common", ()), Step("api", ("static",))),
)


def around(asked: bool = False, **config: Any) -> Circumstances:
    return Circumstances(
        head=Head(commit="b" * 40, ref="feature", uncommitted=0),
        base=PlanBase(commit="a" * 40, rule="default-branch", reason="where it left main"),
        registry=RegistryAnswer(host="r.local", prefix="acme", asked=asked, reason="-"),
        affected=["api", "common"],
        config=msgspec.convert(config, Config),
    )


def evidence(
    name: str = "api",
    changes: list[EntryChange] | None = None,
    reason: Reason | None = None,
    image_digest: str | None = None,
    **service: Any,
) -> Evidence:
    return Evidence(
        Service(name, "nestjs", (name,), "src/main.ts calls NestFactory.create", **service),
        digest="sha256:" + "1" * 64,
        tag="in-" + "1" * 40,
        changes=changes,
        reason=reason,
        image_digest=image_digest,
    )


def one(e: Evidence, asked: bool = False) -> ServicePlan:
    return make_plan([e], around(asked)).services[0]


HELD = "sha256:" + "2" * 64

# changes against the base, affected, asked, held -> action, assumed, changed
VERDICTS = [
    ([CHANGE], True, False, False, "build", False, True),
    ([CHANGE], False, False, False, "build", False, True),
    ([CHANGE], True, True, False, "build", False, True),
    ([CHANGE], True, True, True, "reuse", False, True),
    ([], True, False, False, "reuse", True, False),
    ([], True, True, True, "reuse", False, False),
    ([], True, True, False, "build", False, False),
    ([], False, False, False, "unaffected", True, False),
    ([], False, True, True, "unaffected", False, False),
    ([], False, True, False, "build", False, False),
    (None, True, False, False, "build", False, True),
    (None, True, True, False, "build", False, True),
    (None, True, True, True, "reuse", False, True),
]


@pytest.mark.parametrize(
    ("changes", "affected", "asked", "held", "action", "assumed", "changed"), VERDICTS
)
def test_the_verdict(
    changes: list[EntryChange] | None,
    affected: bool,
    asked: bool,
    held: bool,
    action: str,
    assumed: bool,
    changed: bool,
) -> None:
    e = evidence("api", changes, REASON if affected else None, HELD if held else None)
    plan = one(e, asked)
    assert (plan.action, plan.assumed, plan.changed) == (action, assumed, changed)


def test_the_reason_names_the_file_before_what_follows_from_it() -> None:
    lock = EntryChange("changed", "root", "pnpm-lock.yaml", "a", "b")
    args = EntryChange("added", "build-arg", "A", None, "b")
    assert one(evidence(changes=[args, lock, CHANGE])).reason == (
        "libs/common/src/x.ts changed and 2 more"
    )
    assert one(evidence(changes=[args])).reason == "build-arg A was added"


def test_the_image_and_its_chain() -> None:
    plan = one(evidence(changes=[CHANGE], reason=REASON))
    assert plan.image == "r.local/acme/api"
    assert plan.chain == ["libs/common/src/x.ts", "common", "api"]
    assert plan.input_changes_total == 1


def test_a_ready_image_is_never_built() -> None:
    ready = evidence("vllm", None, None, image="vllm/vllm-openai@sha256:" + "3" * 64, gpu=True)
    plan = one(replace(ready, tag=None), asked=True)
    assert (plan.action, plan.image, plan.dockerfile) == ("reuse", "vllm/vllm-openai", None)


def test_smoke_and_deploy_follow_what_changed() -> None:
    plan = make_plan(
        [evidence("api", [CHANGE], REASON), evidence("web", []), evidence("llm", [], gpu=True)],
        around(),
    )
    assert [(s.suite, s.run, s.services) for s in plan.smoke] == [
        ("default", True, ["api", "web"]),
        ("gpu", False, ["llm"]),
    ]
    assert plan.smoke[1].runner_tags == ["gpu"]
    assert [(d.environment, d.run, d.when, d.services, d.needs) for d in plan.deploys] == [
        ("staging", True, "auto", ["api"], ["default"]),
        ("production", True, "manual", ["api"], ["default"]),
    ]
    assert plan.counts.build == 1


def test_what_is_built_is_tested_and_deployed_also_with_the_inputs_of_the_base() -> None:
    """An earlier pipeline failed before it pushed the image: nobody has tested it."""
    plan = make_plan([evidence("api", [])], around(asked=True))
    assert plan.services[0].action == "build"
    assert plan.smoke[0].run
    assert plan.deploys[0].services == ["api"]


def test_nothing_changed_nothing_runs() -> None:
    plan = make_plan([evidence("api", []), evidence("web", [])], around())
    assert not any(s.run for s in plan.smoke)
    assert not any(d.run for d in plan.deploys)


def test_a_service_that_is_not_deployed_deploys_nothing() -> None:
    plan = make_plan([evidence("api", [CHANGE], deploy=False)], around())
    assert plan.smoke[0].run
    assert not plan.deploys[0].run


def test_suites_of_the_configuration() -> None:
    config = {"smoke": {"core": {"services": ["a*"]}, "none": {"services": ["zz*"]}}}
    plan = make_plan([evidence("api", [CHANGE]), evidence("web", [CHANGE])], around(**config))
    assert [(s.suite, s.services, s.run) for s in plan.smoke] == [
        ("core", ["api"], True),
        ("none", [], False),
    ]


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_evidence_changes_no_byte(names: list[str]) -> None:
    given_order = make_plan([evidence(n, [CHANGE]) for n in names], around())
    assert encode_plan(given_order) == encode_plan(
        make_plan([evidence(n, [CHANGE]) for n in sorted(names)], around())
    )


def test_what_is_written_is_read_back() -> None:
    plan = make_plan([evidence("api", [CHANGE], REASON)], around())
    assert decode_plan(encode_plan(plan), "plan.json") == plan


def test_the_written_plan_keeps_to_its_schema() -> None:
    import jsonschema

    plan = make_plan([evidence("api", [CHANGE], REASON), evidence("web", [])], around())
    document = msgspec.json.decode(encode_plan(plan))
    jsonschema.Draft202012Validator(plan_schema()).validate(document)
    del document["base"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(plan_schema()).validate(document)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a plan: Input data was truncated"),
        (b"[]", "is not a plan: Expected `object`, got `array`"),
        (b'{"version": 2}', "is a plan of version 2; this ciforge reads version 1"),
        (b'{"version": 1}', "is not a plan: Object missing required field `ciforge`"),
    ],
)
def test_what_is_no_plan(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as error:
        decode_plan(data, "plan.json")
    assert str(error.value) == f"plan.json: {message}"


def test_a_cut_plan_is_no_plan() -> None:
    data = encode_plan(make_plan([evidence("api", [CHANGE])], around()))
    for end in range(0, len(data) - 2, 97):
        with pytest.raises(InputError):
            decode_plan(data[:end], "plan.json")


def test_plan_type_is_frozen() -> None:
    plan = make_plan([], around())
    assert isinstance(plan, Plan)
    with pytest.raises(AttributeError):
        plan.version = 2  # type: ignore[misc]
