"""Proves that a project graph made for one tree of files holds for another.

Nx makes the graph of a working tree out of three things: files that shape it (project.json,
lockfiles, what plugins read), the names of the other files, and the imports in source files.
Where none of them changed, Nx would write the same graph again. What can't be proved is a
doubt, and a doubt is a sentence that names the file.
"""

from __future__ import annotations

from ciforge.workspace.reuse.imports import fingerprint
from ciforge.workspace.reuse.loaded import loaded_code
from ciforge.workspace.reuse.proof import Now, Tree, changed_paths, doubt
from ciforge.workspace.reuse.shaping import kind_of, load_code, plugin_names

__all__ = [
    "Now",
    "Tree",
    "changed_paths",
    "doubt",
    "fingerprint",
    "kind_of",
    "load_code",
    "loaded_code",
    "plugin_names",
]
