from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciforge.digest.dockerfile import read_dockerfile

MULTI_STAGE = """\
# syntax=docker/dockerfile:1.9
ARG NODE_IMAGE=node:22-alpine
ARG REGISTRY
FROM ${NODE_IMAGE} AS base
FROM base AS builder
ARG SERVICE
RUN --mount=type=cache,target=/store \\
    --mount=type=bind,from=ghcr.io/acme/tools:1,target=/tools \\
    pnpm install
# FROM commented:out
FROM scratch AS assets
FROM --platform=$BUILDPLATFORM "${RUNNER:-gcr.io/distroless/nodejs22}" as runner
COPY --from=builder /app /app
COPY --chown=1:1 --from=nginx:1.27 /etc/nginx /etc/nginx
COPY --from=0 /x /x
"""


def test_a_multi_stage_file() -> None:
    read = read_dockerfile(MULTI_STAGE, {})
    assert read.images == (
        "docker/dockerfile:1.9",
        "gcr.io/distroless/nodejs22",
        "ghcr.io/acme/tools:1",
        "nginx:1.27",
        "node:22-alpine",
    )
    assert read.arguments == {"NODE_IMAGE", "REGISTRY", "SERVICE"}
    assert read.unresolved == ()


def test_build_arguments_win_over_defaults() -> None:
    read = read_dockerfile("ARG NODE_IMAGE=node:22\nFROM $NODE_IMAGE\n", {"NODE_IMAGE": "node:24"})
    assert read.images == ("node:24",)


def test_an_argument_of_a_stage_does_not_reach_from_lines() -> None:
    read = read_dockerfile("FROM a\nARG X=b\nFROM $X\n", {})
    assert read.images == ("a",)
    assert read.unresolved == ("$X",)


def test_arguments_built_from_arguments() -> None:
    text = "ARG V=22\nARG IMAGE=node:${V}-alpine\nFROM ${IMAGE}\n"
    assert read_dockerfile(text, {}).images == ("node:22-alpine",)
    assert read_dockerfile(text, {"V": "24"}).images == ("node:24-alpine",)


@pytest.mark.parametrize(
    "line", ["FROM", "ARG", "ARG =x", "COPY --from", "FROM ${", "FROM $", "\\"]
)
def test_broken_lines_name_no_image(line: str) -> None:
    assert read_dockerfile(f"FROM a\n{line}\n", {}).images == ("a",)


@given(st.text())
def test_never_raises(text: str) -> None:
    read_dockerfile(text, {})
