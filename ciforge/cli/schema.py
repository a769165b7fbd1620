"""Print a JSON Schema: of ciforge.yaml, for editors, or of a file that ciforge writes.

config is ciforge.yaml; plan, images, smoke and deployment are plan.json, images.json, smoke.json
and deploy.json.
"""

from __future__ import annotations

import argparse

from ciforge.cli.terminal import print_json

EXAMPLES = """\
examples:
  ciforge schema > .vscode/ciforge.schema.json   then name it in ciforge.yaml's first line:
      # yaml-language-server: $schema=.vscode/ciforge.schema.json
  ciforge schema plan                            what plan.json looks like
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "of",
        nargs="?",
        choices=["config", "plan", "images", "smoke", "deployment"],
        default="config",
        help="default: config",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.of == "plan":
        from ciforge.plan.model import plan_schema

        print_json(plan_schema())
    elif arguments.of in ("images", "smoke"):
        from ciforge.results.model import Images, Smoke, result_schema

        print_json(result_schema(Images if arguments.of == "images" else Smoke))
    elif arguments.of == "deployment":
        from ciforge.deploy.model import Deployment
        from ciforge.results.model import result_schema

        print_json(result_schema(Deployment))
    else:
        from ciforge.config.schema import config_schema

        print_json(config_schema())
    return 0
