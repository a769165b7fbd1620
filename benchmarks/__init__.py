"""Measures ciforge as whole processes, beside Nx where node is there.

`python -m benchmarks --help` says what can be measured. Workspaces are made once, in the
user's cache folder; nothing is written into the source tree.
"""
