"""Show the project graph: as a tree, as JSON, or as a picture for DOT or Mermaid."""

from __future__ import annotations

import argparse

from ciforge.cli.options import add_graph, graph_choice
from ciforge.cli.terminal import print_json, print_lines, warn
from ciforge.collect.graph import find_graph, warnings
from ciforge.collect.workspace import open_root
from ciforge.report import graph as report

EXAMPLES = """\
examples:
  ciforge graph                                 what depends on what
  ciforge graph --format mermaid                for a README or a merge request
  ciforge graph --format dot | dot -Tsvg > graph.svg
"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_graph(parser)
    parser.add_argument(
        "--format", choices=["text", "json", "dot", "mermaid"], default="text", help="default: text"
    )


def run(arguments: argparse.Namespace) -> int:
    root = open_root(arguments.directory)
    graph = find_graph(root, graph_choice(arguments)).graph
    for message, hint in warnings(root, graph, root.project_files()):
        warn(message, hint)
    if arguments.format == "json":
        print_json(report.as_json(graph))
    elif arguments.format == "dot":
        print_lines(report.as_dot(graph))
    elif arguments.format == "mermaid":
        print_lines(report.as_mermaid(graph))
    else:
        print_lines(report.as_tree(graph))
    return 0
