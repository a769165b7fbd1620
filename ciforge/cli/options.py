"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_graph(parser: argparse.ArgumentParser) -> None:
    """Where the project graph comes from."""
    parser.add_argument(
        "--graph",
        metavar="FILE",
        type=Path,
        help="a graph that Nx wrote (nx graph --file, or .nx/workspace-data/project-graph.json); "
        "default: ask the workspace's own Nx",
    )


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
