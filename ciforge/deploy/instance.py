"""Releases beside each other: one for each merge request, and how one goes away again."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ciforge.deploy.lock import Lock
from ciforge.doors.helm import Helm
from ciforge.errors import InputError
from ciforge.plan.model import DeployPlan

_LONGEST = 53  # Helm's limit for a release
_INSTANCE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def instance_of(deploy: DeployPlan, name: str | None) -> DeployPlan:
    """The deploy of that instance. Raises InputError when an instance is missing, or too much."""
    if deploy.review and name is None:
        raise InputError(
            f"{deploy.environment} has a release for each merge request",
            hint='say which: --instance "$CI_ENVIRONMENT_SLUG"',
        )
    if name is None:
        return deploy
    if not deploy.review:
        raise InputError(
            f"{deploy.environment} has one release and no instances",
            hint=f"leave --instance out, or set environments.{deploy.environment}.review",
        )
    return msgspec.structs.replace(deploy, release=release_of(deploy.release, name))


def release_of(release: str, instance: str | None) -> str:
    """RELEASE-INSTANCE, as long as Helm takes it. Raises InputError for another kind of name."""
    if instance is None:
        return release
    if not _INSTANCE.fullmatch(instance):
        raise InputError(
            f"{instance!r} (--instance) is no name of an instance",
            hint="lower case letters, digits and '-', 40 at most: $CI_ENVIRONMENT_SLUG is one",
        )
    return f"{release[: _LONGEST - 1 - len(instance)].rstrip('-._')}-{instance}"


def uninstall(
    helm: Helm, lock: Lock, *, timeout: int, lock_timeout: int, say: Callable[[str], None]
) -> None:
    """Removes the release with all its objects, while nobody deploys it."""
    with lock.held(lock_timeout, say):
        helm.uninstall(timeout)
