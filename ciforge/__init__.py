"""Turns a commit in an Nx monorepo on GitLab into a safe deploy."""

__version__ = "0.1.0"
