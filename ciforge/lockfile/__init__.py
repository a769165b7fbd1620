"""Lockfiles: the packages that changed, their graph, and the part that a service needs.

Everything here is text in, values out. Malformed text raises `LockfileError`.
"""

from ciforge.lockfile.changes import changed_packages, external_graph
from ciforge.lockfile.common import LockfileError
from ciforge.lockfile.pnpm_lockfile import PnpmLockfile
from ciforge.lockfile.reached import reached_packages
from ciforge.lockfile.reduce import ReducedPnpm, reduce_pnpm
from ciforge.workspace.model import LOCKFILE_NAMES

__all__ = [
    "LOCKFILE_NAMES",
    "LockfileError",
    "PnpmLockfile",
    "ReducedPnpm",
    "changed_packages",
    "external_graph",
    "reached_packages",
    "reduce_pnpm",
]
