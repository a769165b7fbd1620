"""Lays out what each image is built from: exactly the files of its manifest, and no other.

What is not in the digest can't be read by the build, so an image that has the digest's tag can
be reused without trusting any list.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ciforge.collect.planning import Survey
from ciforge.digest.manifest import Entry, Manifest
from ciforge.doors.files import is_full
from ciforge.errors import InputError
from ciforge.plan.model import Plan, ServicePlan
from ciforge.workspace.services import Service


def check_inputs(survey: Survey, plan: Plan) -> None:
    """Raises InputError, naming the services, when what is checked out is not what was planned.

    Everything that a build takes from the plan is compared: an edited argument would make
    another image under the tag of these inputs.
    """
    here = {service.name: service for service in survey.services}
    changed = [
        planned.name
        for planned in plan.services
        if planned.name not in here or not _is_planned(survey, here[planned.name], planned)
    ]
    if changed:
        raise InputError(
            f"the inputs of {', '.join(changed)} are not those of the plan",
            hint="the files, the project graph or the plan changed since: make the plan anew "
            "(ciforge plan --format json -o plan.json)",
        )


def _is_planned(survey: Survey, service: Service, planned: ServicePlan) -> bool:
    manifest = survey.digester.manifest(service)
    if service.image is not None or planned.kind == "image":
        return (planned.kind, planned.digest) == (service.kind, manifest.digest)
    return (
        planned.digest == manifest.digest
        and planned.tag == manifest.tag
        and planned.dockerfile == service.dockerfile
        and planned.build_args == manifest.build_args
        and planned.platforms == sorted(service.platforms)
    )


def write_context(survey: Survey, planned: ServicePlan, folder: Path) -> dict[str, str]:
    """Fills `folder` with the inputs of one image.

    Modes are git's two (a checkout's umask must not change an image). Returns the base images
    that have a pinned digest, `{reference: sha256:…}`. Raises InputError when a file vanished.
    """
    manifest = survey.digester.manifest(survey.service(planned.name))
    for entry in manifest.entries:
        if entry.kind == "file":
            _place(survey.root.path / entry.name, folder / entry.name, entry)
    for name, content in manifest.generated.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o644)
    return pinned_base_images(manifest)


def pinned_base_images(manifest: Manifest) -> dict[str, str]:
    """The base images of a manifest whose digest is configured."""
    return {e.name: e.value for e in manifest.entries if e.kind == "base-image" and e.value}


def _place(source: Path, target: Path, entry: Entry) -> None:
    mode = entry.value.partition(" ")[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if mode == "120000":
            target.symlink_to(source.readlink())
        elif mode == "160000":
            shutil.copytree(source, target, symlinks=True, ignore=_without_git)
        else:
            shutil.copyfile(source, target)
            target.chmod(0o755 if mode == "100755" else 0o644)
    except OSError as error:
        if is_full(error):
            raise
        raise InputError(
            f"cannot be read: {error.strerror}",
            where=entry.name,
            hint="it is an input of an image; did something remove it just now?",
        ) from error


def _without_git(_folder: str, names: Sequence[str]) -> set[str]:
    return {".git"} & set(names)
