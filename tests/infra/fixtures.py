"""Session fixtures: `pytest_plugins = ["tests.infra.fixtures"]` in a test module brings them.

What runs already is used. What the sessions started ends with the last of them, unless somebody
called `python -m tests.infra up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.infra import buildkit as _buildkit
from tests.infra import compose as _compose
from tests.infra import engine as _engine
from tests.infra import images as _images
from tests.infra import lease, mirror
from tests.infra import registry as _registry
from tests.infra.base import Place, here

# The environment in which `docker` and everything above it find the engine.
Environment = Mapping[str, str]


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """This checkout's place; as long as it is used, the container half may run."""
    held = here()
    with lease.held(held, [_engine, mirror, _registry, _buildkit]):
        yield held


@pytest.fixture(scope="session")
def engine(place: Place) -> Environment:
    _engine.start(place)
    return _engine.environment(place)


@pytest.fixture(scope="session")
def images(place: Place, engine: Environment) -> Callable[..., None]:
    """`images("postgres:17-alpine", …)`: the engine has them; without names: all of the map."""

    def provide(*names: str) -> None:
        known = _images.image_map()
        _images.start(place, sorted({known[name].name for name in names}) or None)

    return provide


@pytest.fixture(scope="session")
def buildkit(place: Place, images: Callable[..., None]) -> Environment:
    """buildx is there, with BuildKit behind it and every image of the map in its reach."""
    images()
    _buildkit.start(place)
    return _engine.environment(place)


@pytest.fixture(scope="session")
def compose(place: Place, engine: Environment) -> Environment:
    _compose.start(place)
    return engine


@pytest.fixture(scope="session")
def registry(place: Place, engine: Environment) -> _registry.Login:
    """A registry with GitLab-like tokens; the Docker client is logged in to it."""
    _registry.start(place)
    return _registry.login(place)


@pytest.fixture
def docker_environment(engine: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """For code that runs in this process: it finds the engine in os.environ."""
    for name, value in engine.items():
        monkeypatch.setenv(name, value)
    return engine
