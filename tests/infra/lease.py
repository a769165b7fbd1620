"""Who needs the components of a place: so the last test session stops them, and none too early."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Sequence

from tests.infra.base import Component, Place


def keep(place: Place) -> None:
    """`up` by hand: sessions leave the components running."""
    (place.folder / "kept").touch()


def forget(place: Place) -> None:
    (place.folder / "kept").unlink(missing_ok=True)


@contextlib.contextmanager
def held(
    place: Place, components: Sequence[Component], kept_by: Place | None = None
) -> Iterator[None]:
    """While it lasts nobody else stops them; afterwards they stop, unless they are needed.

    The kernel gives up the hold of a session that was killed, so the next one to end stops what
    that one left.
    """
    place.open()
    with (place.folder / "sessions.lock").open("a") as sessions:
        fcntl.flock(sessions, fcntl.LOCK_SH)
        try:
            yield
        finally:
            if not ((kept_by or place).folder / "kept").exists() and _is_last(sessions.fileno()):
                for component in reversed(components):
                    component.stop(place)


def _is_last(sessions: int) -> bool:
    try:
        fcntl.flock(sessions, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
