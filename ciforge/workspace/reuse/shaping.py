"""Which files shape the project graph, by name.

Nx itself reads project.json, package.json, nx.json, the root's tsconfig, lockfiles and ignore
files. Plugins read more: their files are known for those of the Nx project that stay within
JavaScript, and for no other. A name that no rule knows counts as shaping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from ciforge.workspace.imports import is_source
from ciforge.workspace.model import LOCKFILE_NAMES, NxPlugin, plugin_name

Kind = Literal["shaping", "source", "json", "inert", "unknown"]

# Plugins that read no code of the workspace to make their projects and targets.
_DATA_ONLY = frozenset({"@nx/js", "@nx/docker", "@nx/nest", "@nx/node", "@nx/web"})
# Plugins that load configuration files (`*.config.ts`, .eslintrc, .storybook, …) as programs.
_LOADING = frozenset(
    {
        *("@nx/cypress", "@nx/detox", "@nx/esbuild", "@nx/eslint", "@nx/expo"),
        *("@nx/express", "@nx/jest", "@nx/next", "@nx/playwright", "@nx/react"),
        *("@nx/react-native", "@nx/remix", "@nx/rollup", "@nx/rsbuild", "@nx/rspack"),
        *("@nx/storybook", "@nx/vite", "@nx/vitest", "@nx/webpack"),
    }
)

_SHAPING_NAMES = frozenset(
    {
        *LOCKFILE_NAMES,
        *("project.json", "package.json", "nx.json", "workspace.json", "angular.json"),
        *("lerna.json", "app.json", "nest-cli.json", "deno.json", "bunfig.toml"),
        *(".gitignore", ".nxignore", "pnpm-workspace.yaml", "pnpm-workspace.yml", ".yarnrc.yml"),
    }
)
_SHAPING_JSON = re.compile(
    r"(?:[tj]sconfig.*|\..*|.*\.(?:config|conf|workspace|projects|preset)|.*rc)\.json[c5]?",
    re.IGNORECASE,
)
_CONFIG_CODE = re.compile(
    r"(?:\..*|.+\.(?:config|conf|preset|workspace|shared|base)(?:\..+)?|webpack\..+"
    r"|(?:gulp|grunt)file)\.[cm]?[jt]sx?",
    re.IGNORECASE,
)
_CONFIG_YAML = re.compile(r"\..*rc\.ya?ml", re.IGNORECASE)
_DOCKERFILE = re.compile(r"(?:.+\.)?(?:Dockerfile|Containerfile)(?:\..+)?", re.IGNORECASE)
_INERT_NAMES = frozenset(
    {
        *("LICENSE", "LICENCE", "NOTICE", "AUTHORS", "CODEOWNERS", "Makefile", "Procfile"),
        *("ciforge.yaml", "ciforge.yml", ".dockerignore", ".helmignore", ".editorconfig"),
        *(".prettierignore", ".gitkeep", ".keep"),
    }
)
# Languages other than JavaScript count among them: only plugins that are not known read those.
_INERT_SUFFIXES = frozenset(
    {
        *("md", "markdown", "txt", "rst", "adoc", "pdf", "csv", "tsv", "xlsx", "docx"),
        *("png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "mp3", "mp4", "webm"),
        *("woff", "woff2", "ttf", "otf", "eot", "css", "scss", "sass", "less", "styl"),
        *("html", "htm", "hbs", "ejs", "pug", "njk", "mustache", "tpl", "yaml", "yml", "toml"),
        *("sql", "prisma", "graphql", "gql", "proto", "po", "pot", "xlf", "snap"),
        *("py", "pyi", "ipynb", "go", "rs", "java", "kt", "rb", "php", "cs", "c", "h", "cpp"),
        *("sh", "bash", "zsh", "ps1", "bat"),
    }
)


def kind_of(path: str, plugins: frozenset[str]) -> Kind:
    """What a change of the file's content can do; `plugins` are the configured ones."""
    folder, _, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    if name in _SHAPING_NAMES or path.endswith(".d.ts") or _CONFIG_YAML.fullmatch(name):
        return "shaping"
    if _SHAPING_JSON.fullmatch(name) or is_config_code(path):
        return "shaping"
    if is_source(name):
        return "source"
    if _DOCKERFILE.fullmatch(name):
        return "shaping" if "@nx/docker" in plugins else "inert"
    if suffix == "json" and stem and not any(p.startswith(".") for p in folder.split("/")):
        return "json"
    if name in _INERT_NAMES or (dot and suffix.lower() in _INERT_SUFFIXES):
        return "inert"
    return "unknown"


def may_come_and_go(path: str, plugins: frozenset[str]) -> bool:
    """Whether a file can be added and deleted without Nx caring.

    Never with a plugin that runs configuration files: these name tests by patterns of their own,
    @nx/eslint asks for a folder `src`, @nx/vite for an index.html.
    """
    return kind_of(path, plugins) == "inert" and not load_code(plugins)


def is_config_code(path: str) -> bool:
    """Whether a plugin might load the file as a program."""
    folder, _, name = path.rpartition("/")
    if not is_source(name):
        return False
    hidden = any(part.startswith(".") and part != ".." for part in folder.split("/"))
    return hidden or _CONFIG_CODE.fullmatch(name) is not None


def plugin_names(plugins: Iterable[str | NxPlugin]) -> frozenset[str]:
    """Packages, and local plugins by their paths."""
    paths = (plugin if isinstance(plugin, str) else plugin.plugin for plugin in plugins)
    return frozenset(p if p.startswith((".", "/")) else plugin_name(p) for p in paths)


def unknown_plugin(plugins: frozenset[str]) -> str | None:
    """The first plugin of which nobody knows what it reads: a local one, or one of others."""
    return min(plugins - _DATA_ONLY - _LOADING, default=None)


def load_code(plugins: frozenset[str]) -> bool:
    """Whether one of the plugins runs configuration files."""
    return not plugins <= _DATA_ONLY
