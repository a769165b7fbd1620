"""Every kind of error in ciforge.yaml, with its whole text; and that there is no other kind."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from ciforge.config.delivery import Environment, GpuRunner
from ciforge.config.load import parse_config
from ciforge.config.model import Config, Service, Suite
from ciforge.errors import InputError

TOP = (
    "version, workspace, default_branch, registry, detection, image, services, smoke, runners, "
    "pipeline, helm, environments"
)
SERVICE = (
    "projects, image, dockerfile, build_args, platforms, inputs, build_target, gpu, deploy, port, "
    "ready, start_env, salt"
)
NAME = (
    "lower case letters and digits, joined by single '.', '_' or '-' (what a registry takes as "
    "a repository name)"
)
PATH = "a path relative to the Nx workspace, without '..'"
STAR = "quote a text that begins with '*'"
BANG = "quote a text that begins with '!'"
INDENT = "check the indentation, or quote the whole text if it holds '{', '[' or quotes"
COLON = "check the indentation, or quote a text that holds ': '"
FLOW = "a '[' or '{' without its end, or an item without its ','"
CLOSE = "close it, or quote a text that holds '{', '[' or ','"
BRACE = "quote a text that holds ': ' or begins with '{' or '['"
TAG = "remove it, or quote a text that begins with '!'; only !!str is known"


def report(text: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        parse_config(text, "ciforge.yaml")
    assert "\n" not in str(caught.value)
    return "\n".join(filter(None, (str(caught.value), caught.value.hint)))


def services(body: str) -> str:
    return f"services:\n  web:\n    {body}\n"


TYPES = {
    "unknown key": (
        services("dockerfil: x"),
        f"3:5: services.web.dockerfil: unknown key, expected one of: {SERVICE}",
        "did you mean 'dockerfile'?",
    ),
    "unknown key near none": ("zzz: 1", f"1:1: zzz: unknown key, expected one of: {TOP}"),
    "unknown key in other case": (
        "Image: {}",
        f"1:1: Image: unknown key, expected one of: {TOP}",
        "did you mean 'image'?",
    ),
    "unknown key to be quoted": (
        '"a.b\\n": 1',
        f'1:1: "a.b\\n": unknown key, expected one of: {TOP}',
    ),
    "integer for string": (
        "image:\n  build_args:\n    NODE_VERSION: 22\n",
        "3:19: image.build_args.NODE_VERSION: expected a string, got the integer 22",
        'quote it: "22"',
    ),
    "number for string": (
        "image: {salt: 1.0}",
        "1:15: image.salt: expected a string, got the number 1.0",
        'quote it: "1.0"',
    ),
    "boolean for string": (
        services("image: True"),
        "3:12: services.web.image: expected a string, got the boolean True",
        'quote it: "True"',
    ),
    "unquoted secret is not repeated": (
        services("build_args: {NPM_TOKEN: 31337}"),
        "3:29: services.web.build_args.NPM_TOKEN: expected a string, got a secret",
        "quote it",
    ),
    "nothing for string": (
        "image:\n  build_args:\n    A:\n",
        "3:7: image.build_args.A: expected a string, got nothing",
        'remove it, or write "" for an empty text',
    ),
    "mapping for string": (
        "image:\n  inputs:\n    - {workspaceRoot}\n",
        "3:7: image.inputs[0]: expected a string, got a mapping",
        BRACE,
    ),
    "list for string": (
        "workspace: [a]",
        "1:12: workspace: expected a string, got a list",
        BRACE,
    ),
    "string for list": (
        services("projects: web"),
        '3:15: services.web.projects: expected a list, got the string "web"',
        'write ["web"]',
    ),
    "boolean for list": (
        services("projects: true"),
        "3:15: services.web.projects: expected a list, got the boolean true",
    ),
    "empty list": (
        services("projects: []"),
        "3:15: services.web.projects: expected at least 1 in the list, got none",
    ),
    "long list": (
        f"runners: {{gpu: {{tags: [{'x,' * 50}]}}}}",
        "1:23: runners.gpu.tags: expected at most 49 in the list, got 50",
    ),
    "item of a list": (
        "runners: {gpu: {tags: [a, 7]}}",
        "1:27: runners.gpu.tags[1]: expected a string, got the integer 7",
        'quote it: "7"',
    ),
    "list for mapping": (
        "services: [web]",
        "1:11: services: expected a mapping, got a list",
        "write 'key: value' lines below it",
    ),
    "string for section": (
        "image: x",
        '1:8: image: expected a mapping, got the string "x"',
        "write 'key: value' lines below it",
    ),
    "top level": (
        "# a\n- x\n",
        "2:1: expected a mapping, got a list",
        "write 'key: value' lines below it",
    ),
    "word for boolean": (
        "registry: {insecure: Yes}",
        '1:22: registry.insecure: expected true or false, got the string "Yes"',
        "write true",
    ),
    "quoted boolean": (
        'detection: {enabled: "false"}',
        '1:22: detection.enabled: expected true or false, got the string "false"',
        "write false",
    ),
    "no boolean": (
        services("gpu: maybe"),
        '3:10: services.web.gpu: expected true or false, got the string "maybe"',
    ),
    "nothing for boolean": (
        services("gpu:"),
        "3:9: services.web.gpu: expected true or false, got nothing",
        "remove it for the default",
    ),
    "quoted integer": (
        'smoke: {all: {timeout: "60"}}',
        '1:24: smoke.all.timeout: expected an integer 1 to 86400, got the string "60"',
        "write it without quotes: 60",
    ),
    "integer with unit": (
        "smoke: {all: {timeout: 10m}}",
        '1:24: smoke.all.timeout: expected an integer 1 to 86400, got the string "10m"',
    ),
    "integer too small": (
        "smoke: {all: {timeout: 0}}",
        "1:24: smoke.all.timeout: expected an integer 1 to 86400, got the integer 0",
    ),
    "integer too large": (
        "smoke: {all: {timeout: 86401}}",
        "1:24: smoke.all.timeout: expected an integer 1 to 86400, got the integer 86401",
    ),
    "boolean for integer": (
        "version: true",
        "1:10: version: expected the integer 1, got the boolean true",
    ),
    "number for integer": (
        "version: 1.0",
        "1:10: version: expected the integer 1, got the number 1.0",
    ),
    "a number of 5000 digits": (
        f"version: {'9' * 5000}",
        f"1:10: version: expected the integer 1, got the number {'9' * 60}",
    ),
    "other version": ("version: 2", "1:10: version: expected the integer 1, got the integer 2"),
    "one of words": (
        "environments:\n  production:\n    when: AUTO\n",
        '3:11: environments.production.when: expected auto or manual, got the string "AUTO"',
        "did you mean 'auto'?",
    ),
    "one of words, none near": (
        "environments: {production: {when: yes}}",
        '1:35: environments.production.when: expected auto or manual, got the string "yes"',
    ),
    "one of words, a list": (
        "environments: {production: {when: [auto]}}",
        "1:35: environments.production.when: expected auto or manual, got a list",
    ),
    "name in capitals": (
        "services: {Web: {}}",
        f'1:12: services.Web: expected {NAME}, got the string "Web"',
        "did you mean 'web'?",
    ),
    "name with a space": (
        "smoke: {a b: {}}",
        f'1:9: smoke."a b": expected {NAME}, got the string "a b"',
    ),
    "name that ends in a line break": (
        'environments: {"a\\n": {}}',
        f'1:16: environments."a\\n": expected {NAME}, got the string "a\\n"',
    ),
    "long name": (
        f"services: {{{'a' * 129}: {{}}}}",
        (
            f'1:12: services."{"a" * 59}…": expected at most 128 characters, '
            f'got the string "{"a" * 59}…"'
        ),
    ),
    "absolute path": (
        services("dockerfile: /etc/x"),
        f'3:17: services.web.dockerfile: expected {PATH}, got the string "/etc/x"',
    ),
    "path upwards": (
        "image: {dockerfile: a/..}",
        f'1:21: image.dockerfile: expected {PATH}, got the string "a/.."',
    ),
    "path upwards behind a line break": (
        'image: {dockerfile: "a\\n/../b"}',
        f'1:21: image.dockerfile: expected {PATH}, got the string "a\\n/../b"',
    ),
    "empty path": (
        "image: {dockerfile: ''}",
        f'1:21: image.dockerfile: expected {PATH}, got the string ""',
    ),
    "platform": (
        "image: {platforms: [Linux/arm64]}",
        (
            "1:21: image.platforms[0]: expected a platform as Docker names it: linux/amd64, "
            'linux/arm64, got the string "Linux/arm64"'
        ),
        "did you mean 'linux/arm64'?",
    ),
}

SYNTAX = {
    "second time": (
        "services:\n  web: {}\n  api: {}\n  web: {gpu: true}\n",
        "4:3: services.web: a second time, first on line 2",
        "keep one of the two",
    ),
    "second time in a list": (
        "image: {inputs: [a, {b: 1, b: 2}]}",
        "1:21: image.inputs[1]: expected a string, got a mapping",
        BRACE,
        "1 more problem:",
        (
            "  ciforge.yaml:1:28: image.inputs[1].b: a second time, first on line 1; "
            "keep one of the two"
        ),
    ),
    "key that is no text": (
        "services:\n  1: {}\n",
        "2:3: services.1: expected a text as key",
        'quote it: "1"',
    ),
    "boolean key": ("true: 1", "1:1: true: expected a text as key", 'quote it: "true"'),
    "list as key": (
        "{[a]: b}",
        "1:2: a list or mapping as a key",
        "quote a text with '{' or '['",
    ),
    "tab": (
        "image:\n\tsalt: x\n",
        "2:1: a tab where YAML takes only spaces",
        "put spaces in place of the tab",
    ),
    "scoped package": (
        "image:\n  inputs:\n    - @all-erp/x\n",
        "3:7: a text can't begin with this character",
        "quote the text",
    ),
    "glob star": ("smoke: {all: {services: [*]}}", "1:26: '*' begins an alias here", STAR),
    "glob": (
        "detection: {exclude: [*-e2e]}",
        "1:23: '*-e2e' is an alias of nothing above it",
        STAR,
    ),
    "anchor": (
        "workspace: & a",
        "1:12: '&' begins an anchor here",
        "quote a text that begins with '&'",
    ),
    "negated fileset": (
        "image:\n  inputs:\n    - !{projectRoot}/x\n",
        "3:7: '!' begins a tag here",
        BANG,
    ),
    "tag handle": ("workspace: !a!b x", "1:12: '!' begins a tag here", BANG),
    "tag": ("workspace: !x y", '1:12: the tag "!x" is unknown', TAG),
    "GitLab's tag": (
        "runners: !reference [a, b]",
        '1:10: the tag "!reference" is unknown',
        TAG,
    ),
    "Python's tag": (
        "image: !!python/object/apply:os.system [id]",
        '1:8: the tag "!!python/object/apply:os.system" is unknown',
        TAG,
    ),
    "!!str of a list": ("image: !!str [id]", '1:8: the tag "!!str" is unknown', TAG),
    "fileset": (
        "image:\n  inputs:\n    - {workspaceRoot}/prisma\n",
        "3:22: this doesn't fit what stands above it",
        INDENT,
    ),
    "fileset in a list": ("image: {inputs: [{workspaceRoot}/x]}", f"1:33: {FLOW}", CLOSE),
    "open bracket": ("image:\n  inputs: [a,\n", f"3:1: {FLOW}", CLOSE),
    "indentation": (
        "registry:\n  host: x\n prefix: y\n",
        "3:2: this doesn't fit what stands above it",
        INDENT,
    ),
    "forgotten colon": (
        "registry:\n  host x\n  prefix: y\n",
        "3:9: a ':' where no key can be",
        COLON,
    ),
    "line without colon": (
        "a: 1\nb\nc: 2\n",
        "3:1: a line that is neither 'key: value' nor '- item'",
        "check for a forgotten ':' in the line above",
    ),
    "two colons": ("workspace: a: b", "1:13: a ':' where no key can be", COLON),
    "open quote": (
        "workspace: 'x\n",
        "1:12: a quote without its end",
        "close the quote, on the same indentation",
    ),
    "escape": (
        'workspace: "a\\qb"',
        "1:15: an unknown escape after '\\'",
        "double the '\\', or use single quotes",
    ),
    "stray bracket": ("workspace: ]", "1:12: no value can begin like this", "quote the text"),
    "block scalar": (
        "workspace: |x\n",
        "1:13: not YAML: expected chomping or indentation indicators, but found 'x'",
    ),
    "escape beyond Unicode": ('workspace: "\\UFFFFFFFF"', "1:15: a number too large for YAML"),
    "merge of text": ("<<: x", "1:5: '<<' takes a mapping, or a list of mappings"),
    "alias inside itself": (
        "services: &a\n  web: *a\n",
        "2:8: '*a' stands inside what it names",
    ),
    "second document": (
        "version: 1\n---\nversion: 1\n",
        "2:1: a second document",
        "keep one document, without a '---' after it",
    ),
    "NUL": (
        "version: 1\nworkspace: a\0\n",
        "2:13: the character U+0000 can't be in a configuration",
        "remove it",
    ),
    "escaped NUL": (
        'workspace: "\\0"',
        "1:12: the character U+0000 can't be in a configuration",
        "remove it",
    ),
    "surrogate": (
        'workspace: "\\ud800"',
        "1:12: the character U+D800 can't be in a configuration",
        "remove it",
    ),
    "Latin-1": (
        b"# a\nworkspace: \xe9\n",
        "2: not UTF-8: the byte 0xe9",
        "save the file as UTF-8",
    ),
    "deep": ("[" * 40 + "]" * 40, "1:34: nested deeper than 32 levels"),
    "deep through aliases": (
        "a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20,
        "2:24: nested deeper than 32 levels",
    ),
}

MEANING = {
    "ready image that is built": (
        (
            "services:\n  vllm:\n    image: vllm/vllm-openai:v0.11.0\n    projects: [a]\n"
            "    dockerfile: b\n    build_args: {c: d}\n"
        ),
        "4:5: services.vllm.projects: expected no projects beside 'image', which is never built",
        "remove one of the two",
        "2 more problems:",
        (
            "  ciforge.yaml:5:5: services.vllm.dockerfile: expected no dockerfile beside 'image', "
            "which is never built; remove one of the two"
        ),
        (
            "  ciforge.yaml:6:5: services.vllm.build_args: expected no build_args beside 'image', "
            "which is never built; remove one of the two"
        ),
    ),
    "secret of a service": (
        services("build_args: {A: b, npm_token: hunter2}"),
        (
            "3:24: services.web.build_args.npm_token: expected no secret, since build arguments "
            "stay readable in the image"
        ),
        "use a BuildKit secret: RUN --mount=type=secret,id=npm_token",
    ),
    "platform again": (
        "image:\n  platforms:\n    - linux/arm64\n    - linux/arm64\n",
        "4:7: image.platforms[1]: expected each platform once, got linux/arm64 again",
        "remove it",
    ),
    "platform of a service again": (
        services("platforms: [a/b, c/d, a/b]"),
        "3:27: services.web.platforms[2]: expected each platform once, got a/b again",
        "remove it",
    ),
    "smoke suite of nothing": (
        "smoke:\n  all:\n    services: [' ']\n",
        '3:16: smoke.all.services[0]: expected a service or a glob, got " "',
        "remove it",
    ),
    "smoke suite of an unknown service": (
        "detection: {enabled: false}\nservices: {auth: {}}\nsmoke: {a: {services: [auht]}}",
        (
            "3:24: smoke.a.services[0]: expected a name or glob of 'services', got \"auht\" "
            "(detection is off)"
        ),
        "did you mean 'auth'?",
    ),
    "smoke suite of no service at all": (
        "detection: {enabled: false}\nsmoke:\n  all: {gpu: true}\n",
        (
            "3:3: smoke.all.services[0]: expected a name or glob of 'services', got \"*\" "
            "(detection is off)"
        ),
        "list it in 'services'",
    ),
}


@pytest.mark.parametrize(
    "case", [*TYPES.items(), *SYNTAX.items(), *MEANING.items()], ids=lambda c: c[0]
)
def test_error(case: tuple[str, tuple[Any, ...]]) -> None:
    text, *lines = case[1]
    assert report(text) == "ciforge.yaml:" + "\n".join(lines)


@pytest.mark.parametrize("key", ["TOKEN", "DB_PASSWORD", "client_secret", "SSH_PRIVATE_KEY_PEM"])
def test_secret(key: str) -> None:
    text = report(f"image: {{build_args: {{{key}: hunter2}}}}")
    assert text.startswith(f"ciforge.yaml:1:22: image.build_args.{key}: expected no secret")
    assert "hunter2" not in text


@pytest.mark.parametrize("key", ["NEXT_PUBLIC_TOKEN", "MAX_TOKENS", "TOKENIZER", "PRIVATE", "KEY"])
def test_no_secret(key: str) -> None:
    args = parse_config(f"image: {{build_args: {{{key}: a}}}}", "x").image.build_args
    assert args == {key: "a"}


def test_all_problems_in_the_order_of_the_file() -> None:
    assert report("version: 2\nimage:\n  salt: 1\n  salt: 2\nservces: {}\n") == (
        "ciforge.yaml:1:10: version: expected the integer 1, got the integer 2\n"
        "3 more problems:\n"
        '  ciforge.yaml:3:9: image.salt: expected a string, got the integer 1; quote it: "1"\n'
        "  ciforge.yaml:4:3: image.salt: a second time, first on line 3; keep one of the two\n"
        f"  ciforge.yaml:5:1: servces: unknown key, expected one of: {TOP}; "
        "did you mean 'services'?"
    )


def test_many_problems_are_counted() -> None:
    lines = report("".join(f"k{number}: 1\n" for number in range(30))).splitlines()
    assert lines[1] == "29 more problems:"
    assert lines[-1] == "  and 9 more"
    assert len(lines) == 1 + 1 + 20 + 1


def test_no_words_are_compared_after_a_hundred_problems() -> None:
    nearest = "".join(f"services{number}: 1\n" for number in range(9000))
    assert report(nearest).count("did you mean") == 21


def test_a_smoke_suite_names_services_that_are_there() -> None:
    off = "detection: {enabled: false}\nservices: {auth-service: {}}\n"
    parse_config(f"{off}smoke: {{a: {{services: ['auth-*', auth-service]}}, b: {{}}}}", "x")
    parse_config("smoke: {a: {services: [detected]}}", "x")


def test_twenty_one_problems_are_all_told() -> None:
    lines = report("".join(f"k{number}: 1\n" for number in range(21))).splitlines()
    assert lines[-1].startswith("  ciforge.yaml:21:1: k20: ")


@pytest.mark.parametrize(("length", "quoted"), [(60, "a" * 60), (61, f'"{"a" * 59}…"')])
def test_long_words_are_cut(length: int, quoted: str) -> None:
    word = "a" * length
    assert report(f"{word}: 1").startswith(f"ciforge.yaml:1:1: {quoted}: unknown key")
    assert (
        report(f"image: {word}")
        .splitlines()[0]
        .endswith(f'got the string "{quoted.strip(chr(34))}"')
    )


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ("{a: ", "}")])
def test_depth(start: str, end: str) -> None:
    deep = "nested deeper than 32 levels"
    assert deep not in report(f"x: {start * 31}b{end * 31}")
    assert deep in report(f"x: {start * 32}b{end * 32}")


def test_own_keys_have_their_own_place() -> None:
    text = (
        "services:\n  a: &a {gpu: true}\n  b:\n    gpu: 1\n    <<: *a\nregistry: {gpu: 1, <<: *a}\n"
    )
    assert report(text).splitlines()[0].startswith("ciforge.yaml:4:10: services.b.gpu: expected")
    assert "ciforge.yaml:6:12: registry.gpu: unknown key" in report(text)


def test_a_byte_order_mark_moves_nothing() -> None:
    assert report("\ufeffx: 1").startswith("ciforge.yaml:1:1: x: unknown key")


def test_an_alias_repeats_no_problem() -> None:
    text = "services:\n  a: &a {gpu: 1}\n  b: *a\n  c: {<<: *a}\n"
    assert report(text) == (
        "ciforge.yaml:2:15: services.a.gpu: expected true or false, got the integer 1\nwrite true"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n# only a comment\n",
        "---\n",
        "--- # x\n...\n",
        "~",
        "{}",
        "\ufeff",
        b"\xef\xbb\xbfversion: 1\r\n",
        "services:\nsmoke: null\nimage:\nrunners:\nenvironments: ~\nregistry:\ndetection:",
        "runners: {gpu: , default: }",
        "image: {build_args: , platforms: , inputs: , root_dev_dependencies: }",
        "default_branch:\nregistry: {host: , prefix: }",
        "%YAML 1.2\n---\nversion: 1\n",
        "image: {dockerfile: Dockerfile, salt: ''}",
    ],
)
def test_default(text: str | bytes) -> None:
    assert parse_config(text, "ciforge.yaml") == Config()


def test_a_name_with_nothing_below_it_has_the_defaults() -> None:
    config = parse_config("services:\n  web:\nsmoke:\n  all:\nenvironments:\n  dev:\n", "x")
    assert config.services == {"web": Service()}
    assert config.smoke == {"all": Suite()}
    assert config.environments == {"dev": Environment()}


def test_everything_set() -> None:
    config = parse_config(
        b"""\
version: 1
runners: {gpu: {tags: [a100]}}
image: {platforms: [linux/amd64, linux/arm64], root_dev_dependencies: []}
services:
  auth-service: &node
    projects: [auth, auth-assets]
    build_args: &args {NODE_VERSION: "22", X: "on"}
    deploy: false
  api:
    <<: *node
    projects: [api]
  web:
    <<: [{gpu: true, salt: a}, *node]
    salt: b
  worker: {build_args: {<<: *args, X: x}}
smoke: {all: {timeout: 0x10}}
environments: {production: {when: manual}, dev: {when: auto, values: [helm/dev.yaml]}}
""",
        "ciforge.yaml",
    )
    args = {"NODE_VERSION": "22", "X": "on"}
    assert config.runners.gpu == GpuRunner(tags=("a100",))
    assert config.image.platforms == ("linux/amd64", "linux/arm64")
    assert config.image.root_dev_dependencies == ()
    assert config.services == {
        "auth-service": Service(projects=("auth", "auth-assets"), build_args=args, deploy=False),
        "api": Service(projects=("api",), build_args=args, deploy=False),
        "web": Service(
            projects=("auth", "auth-assets"), build_args=args, deploy=False, gpu=True, salt="b"
        ),
        "worker": Service(build_args={"NODE_VERSION": "22", "X": "x"}),
    }
    assert config.smoke["all"].timeout == 16
    assert list(config.environments) == ["production", "dev"]


@pytest.mark.parametrize(
    "word", ["on", "yes", "no", "off", "y", "2024-01-01", "1:30", "1_000", "0b1", "1e", "v1.0", "="]
)
def test_text_as_in_yaml_1_2(word: str) -> None:
    args = parse_config(f"image: {{build_args: {{A: {word}, {word}: '1'}}}}", "x").image.build_args
    assert args == {"A": word, word: "1"}


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        *[(word, "integer") for word in ("0", "-1", "+1", "007", "0o17", "0xfF")],
        *[(word, "number") for word in ("1.", ".5", "-1e3", "1.5E-3", ".inf", "-.INF", ".NaN")],
        *[(word, "boolean") for word in ("true", "True", "TRUE", "false", "False", "FALSE")],
    ],
)
def test_no_text_as_in_yaml_1_2(word: str, kind: str) -> None:
    assert report(f"workspace: {word}") == (
        f"ciforge.yaml:1:12: workspace: expected a string, got the {kind} {word}\n"
        f'quote it: "{word}"'
    )
    assert parse_config(f"workspace: '{word}'", "x").workspace == word
    assert parse_config(f"workspace: !!str {word}", "x").workspace == word


BOMBS = {
    "laughs": "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 20)),
    "merges": "x: &x {" + ", ".join(f"k{n}: 1" for n in range(400)) + "}\nimage:\n  inputs:\n"
    "" + "  - <<: *x\n" * 2000,
    "aliases": "a: &a x\nb: [" + "*a, " * 250_000 + "]",
    "keys": "".join(f"k{n}: v\n" for n in range(60_000)),
    "items": "- \n" * 300_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb(bomb: str) -> None:
    assert len(BOMBS[bomb]) < 1024 * 1024
    assert report(BOMBS[bomb]).endswith(": more than 20,000 values, those of aliases included")


def test_size() -> None:
    parse_config("#" * 1024 * 1024, "x")
    for text in ("#" * (1024 * 1024 + 1), b"#" * (1024 * 1024 + 1)):
        assert report(text) == "ciforge.yaml: larger than 1 MiB\nis this the right file?"


def test_a_rule_that_the_walk_lacks_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ciforge.config.load._Checker.string", lambda *_: None)
    assert report("workspace: 1") == ("ciforge.yaml: Expected `str`, got `int` - at `$.workspace`")


def test_the_walk_knows_every_rule_of_the_model() -> None:
    unknown = []

    def walk(node: inspect.Type) -> None:
        rules = {
            key for key, value in msgspec.structs.asdict(node).items() if value is not None
        }  # fmt: skip
        match node:
            case inspect.Metadata():
                walk(node.type)
            case inspect.UnionType():
                one, null = node.types
                assert isinstance(null, inspect.NoneType)
                walk(one)
            case inspect.StructType():
                assert node.forbid_unknown_fields and not node.array_like and node.tag is None
                for each in node.fields:
                    assert not each.required
                    walk(each.type)
            case inspect.DictType():
                assert rules == {"key_type", "value_type"}
                walk(node.key_type)
                walk(node.value_type)
            case inspect.VarTupleType():
                walk(node.item_type)
            case inspect.StrType():
                assert rules <= {"pattern", "min_length", "max_length"}
                assert node.pattern or node.min_length is None
            case inspect.IntType():
                assert rules == {"ge", "le"}
            case inspect.BoolType() | inspect.LiteralType() | inspect.AnyType():
                pass
            case _:
                unknown.append(node)

    walk(inspect.type_info(Config))
    assert unknown == []


def test_yaml_is_imported_late() -> None:
    code = "import sys, ciforge.config.load; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def outcome(text: str | bytes) -> None:
    try:
        assert isinstance(parse_config(text, "ciforge.yaml"), Config)
    except InputError as error:
        assert (error.where or "").startswith("ciforge.yaml")
        assert error.message and "\n" not in error.message


TOKENS = st.sampled_from(
    ["services", "image", ": ", ":", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", "'", '"', "&a ",
     "*a", "<<: ", "!", "!!str ", "|", ">", "? ", "%YAML 1.1\n", "%TAG ! x\n", "---\n", "...\n",
     "#", "\t", "\\", "\\U00110000", "@", "1", "1.0", "~", "true", "\u2028", "\x85", "\ufeff", "é",
     "\ud800", "0x", "!<", "%" + "9" * 5000, ".inf", "web", "build_args"]
)  # fmt: skip


@given(st.text() | st.lists(TOKENS, max_size=30).map("".join))
def test_any_text(text: str) -> None:
    outcome(text)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    outcome(data)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
KEYS = st.sampled_from(
    [*Config.__struct_fields__, *Service.__struct_fields__, *Suite.__struct_fields__, "web"]
)


@given(
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(KEYS | SCALARS, inner, max_size=5)
        ),
        max_leaves=20,
    ),
    st.booleans(),
)
def test_any_structure(structure: object, flow: bool) -> None:
    outcome(yaml.safe_dump(structure, default_flow_style=flow, allow_unicode=True))


def test_the_words_of_gitlab_are_taken_as_they_are() -> None:
    text = """
    pipeline:
      defaults: {id_tokens: {VAULT: {aud: x}}, before_script: [a, b], retry: 1}
      jobs:
        "smoke *": {variables: {API_TOKEN: $OTHER, LEVEL: "3"}}
        build:
      extra_jobs: {scan: {script: [scan]}}
      gates: [scan]
    """
    pipeline = parse_config(text, "ciforge.yaml").pipeline
    assert pipeline.defaults["id_tokens"] == {"VAULT": {"aud": "x"}}
    assert pipeline.defaults["retry"] == 1
    assert pipeline.jobs == {
        "smoke *": {"variables": {"API_TOKEN": "$OTHER", "LEVEL": "3"}},
        "build": {},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs: {a: {variables: {API_TOKEN: abc}}}", "expected no secret"),
        ("defaults: {variables: {PASSWORD: {value: abc}}}", "expected no secret"),
        ("gates: [scan]", "expected a job of pipeline.extra_jobs"),
        ("image_tags: [$(reboot)]", "expected letters, digits and '._-', and GitLab's variables"),
        ("image_tags: ['`reboot`']", "expected letters, digits and '._-', and GitLab's variables"),
        ("image_tags: ['a; b']", "expected letters, digits and '._-', and GitLab's variables"),
        ("defaults: {retry: .inf}", "expected a number below 2^53"),
        ("extra_jobs: {.hidden: {}}", "no '.' first"),
        ("max_jobs: 5", "expected an integer 10 to 5000"),
    ],
)
def test_what_the_pipeline_can_not_be(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(f"pipeline: {{{text}}}", "ciforge.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("ciforge.yaml:1:")
