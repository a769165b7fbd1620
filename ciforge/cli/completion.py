"""Print a completion script for your shell."""

from __future__ import annotations

import argparse

from ciforge.cli.terminal import print_lines

EXAMPLES = """\
examples:
  ciforge completion bash > ~/.local/share/bash-completion/completions/ciforge
  ciforge completion zsh > "${fpath[1]}/_ciforge"
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"])


def run(arguments: argparse.Namespace) -> int:
    import shtab

    from ciforge.cli.main import build_parser

    print_lines([shtab.complete(build_parser(None), arguments.shell)])
    return 0
