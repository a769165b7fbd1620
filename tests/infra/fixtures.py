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
from tests.infra import k8s_cluster, k8s_node, lease, mirror
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
def cluster() -> Iterator[k8s_cluster.Cluster]:
    """The control plane, and pretended nodes; `namespace(…, real=True)` asks for `node` too."""
    held = Place.of_checkout()
    # Who keeps the containers keeps the cluster: `up` starts both.
    with lease.held(held, [k8s_cluster, k8s_node], kept_by=here()):
        yield k8s_cluster.start(held)


@pytest.fixture(scope="session")
def node(cluster: k8s_cluster.Cluster, registry: _registry.Login) -> k8s_cluster.Cluster:
    """The cluster with its real node, which pulls from `registry` by the name that a push has."""
    k8s_node.start(None, _registry.loopback_ports())
    return cluster


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
