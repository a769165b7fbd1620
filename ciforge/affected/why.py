"""The shortest way from a changed file to an affected project, told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ciforge.affected.closure import Closure, edge_types
from ciforge.affected.touched import Touch, Touched
from ciforge.workspace.model import ProjectGraph


@dataclass(frozen=True)
class Step:
    """`node` depends on the step before it, through edges of `types`."""

    node: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Reason:
    """`touch` names the changed file and the rule; the first step's node is what it touches."""

    touch: Touch
    steps: tuple[Step, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "file": self.touch.file,
            "rule": self.touch.rule,
            "chain": [{"node": step.node, "edge": list(step.types)} for step in self.steps],
        }

    def sentence(self) -> str:
        """One line: `libs/common/src/x.ts → common → auth-service`."""
        start = [self.touch.file] if self.touch.file else [self.touch.rule]
        return " → ".join([*start, *(step.node for step in self.steps)])


def explain(graph: ProjectGraph, touched: Touched, closure: Closure, project: str) -> Reason | None:
    """Why `project` is affected by what was touched, or None when it isn't."""
    chain = closure.chain(project)
    if chain is None:
        return None
    steps = [Step(chain[0], ())]
    for before, node in pairwise(chain):
        steps.append(Step(node, tuple(edge_types(graph, node, before))))
    return Reason(touched[chain[0]], tuple(steps))
