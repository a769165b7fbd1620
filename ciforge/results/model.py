"""images.json and smoke.json: versioned, and all that a later station knows of an earlier one.

Each file names the bytes that it was made from (`plan`, `images`: their sha256), so that a file
that was edited or comes from another pipeline is noticed by whoever reads the chain.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

IMAGES_VERSION = 1
SMOKE_VERSION = 1

Sha256 = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]


class BuiltImage(Struct, frozen=True, kw_only=True):
    """One image of ours, as it stands in the registry (or, unpushed, in the engine)."""

    service: str
    action: Literal["built", "reused"]
    reason: Annotated[str, Meta(description="why it was built, or could be reused")]
    input_digest: Annotated[Sha256, Meta(description="of the inputs that it was built from")]
    image: Annotated[str, Meta(description="repository, without tag or digest")]
    digest: Annotated[
        Sha256 | None, Meta(description="of its manifest; null while it was not pushed")
    ]
    image_id: Annotated[
        str | None, Meta(description="the engine's own id, when the image is in the engine")
    ] = None
    tags: Annotated[list[str], Meta(description="tags that were set on it")] = []
    size: Annotated[int | None, Meta(description="bytes of its compressed layers")] = None
    seconds: Annotated[float, Meta(ge=0, description="from start to usable, 0 when reused")] = 0.0
    started: Annotated[
        bool,
        Meta(
            description="it was started once before it got its tag; false: reused, or it could not "
            "be (a builder without an engine, a GPU, another platform), so its smoke suite does"
        ),
    ] = False

    @property
    def reference(self) -> str:
        """What runs it: by digest when it was pushed, else by the engine's id."""
        return f"{self.image}@{self.digest}" if self.digest else (self.image_id or self.image)


class Images(Struct, frozen=True, kw_only=True):
    """images.json"""

    version: Annotated[int, Meta(ge=1, le=IMAGES_VERSION)] = IMAGES_VERSION
    ciforge: str
    plan: Annotated[Sha256, Meta(description="of the bytes of the plan.json it was made from")]
    commit: str | None
    pushed: bool
    images: list[BuiltImage]


class Check(Struct, frozen=True, kw_only=True):
    """One question that a suite asked."""

    name: Annotated[str, Meta(description="in words: 'ready', 'a row in PostgreSQL'")]
    subject: Annotated[str, Meta(description="the compose service that was asked")]
    outcome: Literal["passed", "failed", "skipped"]
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    message: str = ""
    log: Annotated[list[str], Meta(description="last lines of its log, when it failed")] = []


class TestedImage(Struct, frozen=True, kw_only=True):
    service: str
    reference: Annotated[str, Meta(description="what was really started")]
    digest: Sha256 | None


class SuiteResult(Struct, frozen=True, kw_only=True):
    suite: str
    verdict: Literal["passed", "failed", "not run"]
    reason: Annotated[str, Meta(description="why it failed or was not run; else what it did")]
    images: list[TestedImage] = []
    checks: list[Check] = []
    seconds: Annotated[float, Meta(ge=0)] = 0.0


class Smoke(Struct, frozen=True, kw_only=True):
    """smoke.json, of one `ciforge smoke`; several jobs write one each."""

    version: Annotated[int, Meta(ge=1, le=SMOKE_VERSION)] = SMOKE_VERSION
    ciforge: str
    plan: Annotated[Sha256, Meta(description="of the bytes of plan.json")]
    images: Annotated[Sha256 | None, Meta(description="of the bytes of images.json")]
    suites: list[SuiteResult]


def result_schema(kind: type[Struct]) -> dict[str, object]:
    """The JSON Schema (2020-12) of a file that a station writes (images.json, smoke.json …)."""
    import msgspec

    name = kind.__name__.lower()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://ciforge.dev/schema/{name}-1.json",
        "title": f"ciforge {name}",
        **msgspec.json.schema(kind),
    }
