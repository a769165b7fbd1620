"""Whether an environment may get these images: planned, built, tested and released are one.

The gate opens only when every digest agrees along the whole chain; each thing that does not is a
refusal of its own, with a name and what to do. It never repairs and never guesses.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ciforge.errors import InputError
from ciforge.plan.model import DeployPlan, Plan, ServicePlan
from ciforge.results.model import BuiltImage, Images, Smoke, SuiteResult

_BUILD = "build anew: ciforge build --plan plan.json --push -o images.json"
_SMOKE = "test these images: ciforge smoke --images images.json -o smoke.json"
_PIPELINE = "take all files from one pipeline, as it wrote them"


@dataclass(frozen=True, order=True)
class Refusal:
    """`subject`: the service, suite or file that is at fault."""

    subject: str
    what: str
    hint: str


@dataclass(frozen=True)
class Decision:
    """`digests`: service → (repository, digest) of all that may be deployed, sorted by name.

    `warnings` say what was let through by an explicit wish.
    """

    environment: str
    refusals: tuple[Refusal, ...]
    digests: Mapping[str, tuple[str, str]]
    warnings: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return not self.refusals


def decide(
    plan: Plan,
    plan_sha: str,
    images: Images,
    images_sha: str,
    smokes: Mapping[str, Smoke],
    environment: str,
    released: Mapping[str, str] | None = None,
    allow_not_run: Iterable[str] = (),
) -> Decision:
    """Compares everything with everything.

    `plan_sha`, `images_sha`: `sha256:…` of the files' bytes; `smokes`: by file name; `released`:
    service → digest that the environment runs now, None when nobody knows; `allow_not_run`: GPU
    suites that may be missing. Raises InputError for an unknown environment or suite.
    """
    deploy = deploy_plan(plan, environment)
    gpu = {s.suite for s in plan.smoke if s.gpu}
    allowed = _allowed(plan, {*allow_not_run, *(gpu & set(deploy.may_be_missing))})
    refusals: set[Refusal] = set()
    if images.plan != plan_sha:
        refusals.add(
            Refusal(
                "images.json",
                f"was made for another plan ({short(images.plan)}, not {short(plan_sha)})",
                _PIPELINE,
            )
        )
    suites: list[SuiteResult] = []
    for name, smoke in smokes.items():
        wrong = _other_origin(name, smoke, plan_sha, images_sha)
        refusals.update(wrong)
        if not wrong:  # what it says of other images proves nothing
            suites += smoke.suites
    refusals.update(_strangers(plan, images, suites))
    refusals.update(_red(suites))
    refusals.update(_not_green(plan, deploy, suites, allowed))
    digests: dict[str, tuple[str, str]] = {}
    warnings = [f"suite {name} was not run, and may be missing here" for name in allowed]
    excused = {s for suite in plan.smoke if suite.suite in allowed for s in suite.services}
    for service in _own_deployed(plan):
        image, wrong = _built(service, images)
        refusals.update(wrong)
        if image is None or image.digest is None:
            continue
        digests[service.name] = (image.image, image.digest)
        tested = list(_tested(service.name, image.digest, suites))
        refusals.update(t for t in tested if isinstance(t, Refusal))
        known = (released or {}).get(service.name)
        if tested or known == image.digest:
            continue
        if service.name in excused:
            warnings.append(f"{service.name} goes out UNTESTED ({short(image.digest)})")
        else:
            refusals.add(_untested(service.name, image.digest, released))
    return Decision(environment, tuple(sorted(refusals)), digests, tuple(sorted(warnings)))


def deploy_plan(plan: Plan, environment: str) -> DeployPlan:
    """The plan's deploy of this environment. Raises InputError when it has none."""
    for deploy in plan.deploys:
        if deploy.environment == environment:
            return deploy
    names = sorted(d.environment for d in plan.deploys)
    near = difflib.get_close_matches(environment, names, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"{environment!r} is no environment of the plan",
        hint=f"{guess}it has: {', '.join(names) or 'none'} (ciforge.yaml, environments)",
    )


def short(digest: str | None) -> str:
    """A digest cut to what tells two apart."""
    return digest[:19] if digest else "none"


def _allowed(plan: Plan, names: Iterable[str]) -> list[str]:
    """The suites that may be missing: of this plan, and only those that need a GPU."""
    gpu = {s.suite for s in plan.smoke if s.gpu}
    for name in names:
        if name not in gpu:
            raise InputError(
                f"suite {name!r} (--allow-not-run) is no GPU suite of the plan",
                hint=f"only these may be left out: {', '.join(sorted(gpu)) or 'none'}",
            )
    return sorted(set(names))


def _own_deployed(plan: Plan) -> list[ServicePlan]:
    wanted = set(plan.deployed)
    return sorted(
        (s for s in plan.services if s.name in wanted and s.kind != "image"), key=lambda s: s.name
    )


def _other_origin(name: str, smoke: Smoke, plan_sha: str, images_sha: str) -> list[Refusal]:
    wrong = []
    if smoke.plan != plan_sha:
        what = f"was made for another plan ({short(smoke.plan)}, not {short(plan_sha)})"
        wrong.append(Refusal(name, what, _PIPELINE))
    if smoke.images != images_sha:
        what = f"tested other images ({short(smoke.images)}, not {short(images_sha)})"
        wrong.append(Refusal(name, what, _SMOKE))
    return wrong


def _strangers(plan: Plan, images: Images, suites: Sequence[SuiteResult]) -> Iterator[Refusal]:
    """What the plan doesn't know: a file was edited."""
    services = {s.name for s in plan.services}
    for image in images.images:
        if image.service not in services:
            yield Refusal(image.service, "is in images.json and not in the plan", _PIPELINE)
    known = {s.suite for s in plan.smoke}
    for suite in suites:
        if suite.suite not in known:
            yield Refusal(suite.suite, "is a tested suite that the plan doesn't know", _PIPELINE)


def _red(suites: Sequence[SuiteResult]) -> Iterator[Refusal]:
    """A failed suite closes the gate, also when another file calls it passed."""
    for suite in suites:
        if suite.verdict == "failed":
            yield Refusal(
                suite.suite,
                f"the smoke suite failed: {suite.reason}",
                "see its checks in smoke.json; mend it, or run it again",
            )


def _not_green(
    plan: Plan, deploy: DeployPlan, suites: Sequence[SuiteResult], allowed: Sequence[str]
) -> Iterator[Refusal]:
    gpu = {s.suite for s in plan.smoke if s.gpu}
    for name in deploy.needs:
        found = [s for s in suites if s.suite == name]
        verdicts = {s.verdict for s in found}
        if verdicts & {"passed", "failed"} or name in allowed:
            continue
        reason = found[0].reason if found else "no smoke.json of these images names it"
        hint = f"run it: ciforge smoke --suite {name} --images images.json"
        if name in gpu:
            hint += f" on a machine with a GPU, or let it through: --allow-not-run {name}"
        yield Refusal(name, f"the smoke suite was not run: {reason}", hint)


def _built(service: ServicePlan, images: Images) -> tuple[BuiltImage | None, list[Refusal]]:
    """The service's image, and all in which it is not what the plan asked for."""
    name = service.name
    found = [image for image in images.images if image.service == name]
    if len(found) != 1:
        count = "is missing in" if not found else f"stands {len(found)} times in"
        return None, [Refusal(name, f"its image {count} images.json", _BUILD)]
    (image,) = found
    wrong = []
    if not images.pushed or image.digest is None:
        wrong.append(Refusal(name, "its image was not pushed", _BUILD))
    if image.input_digest != service.digest:
        what = (
            f"was built from inputs {short(image.input_digest)}, planned are"
            f" {short(service.digest)}"
        )
        wrong.append(Refusal(name, what, _BUILD))
    if image.image != service.image:
        what = f"its image is {image.image}, planned is {service.image}"
        wrong.append(Refusal(name, what, _BUILD))
    planned = service.image_digest
    if image.action == "reused" and planned is not None and image.digest != planned:
        what = (
            f"its reused image is {short(image.digest)}, the plan found {short(planned)}"
            " in the registry"
        )
        wrong.append(Refusal(name, what, "plan and build anew: its tag was moved meanwhile"))
    return image, wrong


def _tested(
    service: str, digest: str, suites: Sequence[SuiteResult]
) -> Iterator[SuiteResult | Refusal]:
    """Each passed suite that ran this service: itself, or a refusal when it ran another image."""
    for suite in suites:
        if suite.verdict != "passed":
            continue
        for image in suite.images:
            if image.service != service:
                continue
            _, at, started = image.reference.rpartition("@")
            others = {image.digest, started if at else digest} - {digest}
            if others:
                other = next(iter(sorted(others, key=str)))
                yield Refusal(
                    service,
                    f"suite {suite.suite} tested {short(other)}, to be deployed is {short(digest)}",
                    _SMOKE,
                )
            else:
                yield suite


def _untested(service: str, digest: str, released: Mapping[str, str] | None) -> Refusal:
    if released is None:
        now = "and what the environment runs is not known"
        hint = f"{_SMOKE}; or compare with what runs: --released cluster"
    else:
        now = f"the environment runs {short(released.get(service))}"
        hint = _SMOKE
    return Refusal(service, f"{short(digest)} was tested in no passed suite, {now}", hint)
