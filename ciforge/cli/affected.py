"""List the projects that a change affects: the answer of `nx show projects --affected`.

Without --base the base is chosen as Nx chooses it (NX_BASE, defaultBase in nx.json, main),
and uncommitted and untracked files count; with --base and --head only commits do.
"""

from __future__ import annotations

import argparse
import difflib
import os
from typing import TYPE_CHECKING

from ciforge.affected.touched import Touch
from ciforge.cli.options import add_graph, graph_choice
from ciforge.cli.terminal import escape, print_error, print_json, print_lines, warn
from ciforge.collect.background import Background
from ciforge.collect.changes import (
    ChangedFiles,
    Selection,
    changed_files,
    changed_since,
    read_changes,
    with_environment,
)
from ciforge.collect.workspace import Root, open_root
from ciforge.errors import EXIT_OK, EXIT_VERDICT_NO, InputError
from ciforge.workspace.patterns import match_projects, split_list

if TYPE_CHECKING:
    from ciforge.affected.closure import Closure
    from ciforge.affected.touched import Touched
    from ciforge.affected.why import Reason
    from ciforge.workspace.model import Project, ProjectGraph

EXAMPLES = """\
examples:
  ciforge affected                                 what I changed since main, commits and all
  ciforge affected --base origin/main --head HEAD  commits only
  ciforge affected --files apps/api/src/main.ts    as if this file had changed
  ciforge affected --exclude 'tag:docs,*-e2e'      without these
  ciforge affected --why web                       the shortest way from the change to web
  ciforge affected --graph graph.json --format json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    change = parser.add_argument_group("the change (one way at most)")
    change.add_argument("--base", metavar="REV", help="older side; 'auto': the policy of plan")
    change.add_argument("--head", metavar="REV", help="newer side; default: the working tree")
    change.add_argument("--files", metavar="A,B", help="these files, paths from the workspace")
    change.add_argument("--uncommitted", action="store_true", help="what git diff HEAD lists")
    change.add_argument("--untracked", action="store_true", help="files that git doesn't know")
    chosen = parser.add_argument_group("filters, applied after the closure")
    chosen.add_argument(
        "--exclude",
        metavar="PATTERN",
        help="leave these out: names, globs, folders, tag:x, separated by commas",
    )
    chosen.add_argument(
        "--projects", "-p", metavar="PATTERN", help="only these, named in the same ways"
    )
    chosen.add_argument("--type", choices=["app", "lib", "e2e"], help="only this type")
    chosen.add_argument(
        "--with-target",
        "-t",
        metavar="T",
        help="only projects with one of these targets (a filter; Nx 24 selects by tasks)",
    )
    add_graph(parser)
    parser.add_argument("--why", metavar="PROJECT", help="the shortest chain to this project")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(arguments: argparse.Namespace) -> int:
    selection = Selection(
        base=arguments.base,
        head=arguments.head,
        files=None if arguments.files is None else tuple(split_list(arguments.files)),
        uncommitted=arguments.uncommitted,
        untracked=arguments.untracked,
    )
    root = open_root(arguments.directory)
    # git answers while networkx, the largest import by far, is loaded.
    asked = Background(lambda: _ask_git(root, selection))
    projects_on_disk = Background(root.project_files)

    from ciforge.affected.closure import Closure
    from ciforge.collect.graph import find_graph, warnings
    from ciforge.collect.packages import with_packages

    graph = find_graph(root, graph_choice(arguments)).graph
    changed = asked.result()
    for message, hint in warnings(root, graph, projects_on_disk.result()):
        warn(message, hint)
    changes = read_changes(root.git, changed, root.root_tsconfig, root.ignores)
    graph, touched = with_packages(root, graph, changes)
    if changed.everything:
        touched |= {name: Touch(None, changed.base_rule) for name in graph.nodes}
    closure = Closure(graph, touched)
    if arguments.why is not None:
        return _why(graph, touched, closure, arguments)
    names = sorted(_filter(closure.projects, graph, arguments))
    if arguments.format == "json":
        print_json(names)
    else:
        print_lines(map(escape, names))
    return EXIT_OK


def _ask_git(root: Root, selection: Selection) -> ChangedFiles:
    if selection.base == "auto":
        from ciforge.collect.base import choose_base, default_branch

        base = choose_base(root.git, None, os.environ, default_branch(root, os.environ))
        changed = changed_since(root.git, base, selection.head)
        print_error(escape(f"base: {base.commit or 'everything'} ({base.reason})"))
        return changed
    return changed_files(root.git, *with_environment(selection, root.nx_json, os.environ))


def _filter(names: list[str], graph: ProjectGraph, arguments: argparse.Namespace) -> list[str]:
    """Nx's filters in Nx's order; each sees only what the one before has left."""
    nodes: dict[str, Project] = {name: graph.nodes[name] for name in names}
    if arguments.type:
        nodes = {name: node for name, node in nodes.items() if node.type == arguments.type}
    if arguments.projects is not None:
        chosen = set(match_projects(split_list(arguments.projects), nodes))
        nodes = {name: node for name, node in nodes.items() if name in chosen}
    if arguments.with_target is not None:
        targets = split_list(arguments.with_target)
        nodes = {
            n: node for n, node in nodes.items() if any(t in node.data.targets for t in targets)
        }
    if arguments.exclude is not None:
        excluded = set(match_projects(split_list(arguments.exclude), nodes))
        nodes = {name: node for name, node in nodes.items() if name not in excluded}
    return list(nodes)


def _why(
    graph: ProjectGraph, touched: Touched, closure: Closure, arguments: argparse.Namespace
) -> int:
    """Prints the shortest chain to a project. Exit code 1 when it is not affected."""
    project: str = arguments.why
    if project not in graph.nodes:
        raise unknown_project(project, graph)
    from ciforge.affected.why import explain

    reason = explain(graph, touched, closure, project)
    if arguments.format == "json":
        print_json(reason.as_json() if reason else None)
    elif reason is None:
        print_lines([f"{escape(project)} is not affected"])
    else:
        print_lines(_lines(reason))
    return EXIT_OK if reason else EXIT_VERDICT_NO


def _lines(reason: Reason) -> list[str]:
    lines = [escape(reason.touch.file or "(configuration)")]
    for depth, step in enumerate(reason.steps):
        how = f"{'/'.join(step.types)} dependency" if step.types else reason.touch.rule
        lines.append(f"{'   ' * depth}└─ {escape(step.node)}  ({escape(how)})")
    return lines


def unknown_project(name: str, graph: ProjectGraph) -> InputError:
    near = difflib.get_close_matches(name, graph.nodes, n=1)
    return InputError(
        f"there is no project {name!r} in the graph",
        hint=f"did you mean {near[0]!r}?" if near else "ciforge graph lists them",
    )
