"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ciforge.collect.graph import GraphChoice


def add_graph(parser: argparse.ArgumentParser) -> None:
    """Where the project graph comes from."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--graph",
        metavar="FILE",
        type=Path,
        help="a graph that Nx wrote (nx graph --file, or .nx/workspace-data/project-graph.json); "
        "default: ask the workspace's own Nx",
    )
    either.add_argument(
        "--graph-cache",
        metavar="DIR",
        type=Path,
        help="ask Nx only when the graph kept in DIR may have changed, and keep its answer there; "
        "default: $CIFORGE_GRAPH_CACHE",
    )


def graph_choice(arguments: argparse.Namespace) -> GraphChoice:
    """What the options of `add_graph`, and the environment, say."""
    from ciforge.collect.graph import GraphChoice

    cache = arguments.graph_cache
    if cache is None and os.environ.get("CIFORGE_GRAPH_CACHE"):
        cache = Path(os.environ["CIFORGE_GRAPH_CACHE"])
    return GraphChoice(arguments.graph, cache)


def add_plan_and_images(parser: argparse.ArgumentParser) -> None:
    """What every station after the build reads."""
    for name, command in (("plan", "ciforge plan"), ("images", "ciforge build")):
        parser.add_argument(
            f"--{name}",
            metavar="FILE",
            type=Path,
            default=Path(f"{name}.json"),
            help=f"what `{command}` wrote; default: {name}.json",
        )
