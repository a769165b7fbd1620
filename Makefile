# ciforge, for its developers. `make demo` and `make test` set everything up themselves.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
DURING := $(BIN)/python -m tests.infra during --
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## what can be made
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt install python3 python3-venv"; exit 3; }
	@echo "Creating $(VENV) and installing ciforge …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "Installing what the tests need …"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/run.stamp ## plan a real change in examples/all-erp (no node, no Docker)
	@$(BIN)/python examples/demo.py

test: lint test-fast docs test-node test-docker ## everything, the fast tests first; .ci/run runs it

test-fast: $(VENV)/dev.stamp ## tests without node and Docker, under 60 s
	$(BIN)/pytest -q -n auto -m "not node and not docker"

coverage: $(VENV)/dev.stamp ## which lines the tests without node and Docker reach
	$(BIN)/pytest -q -n auto -m "not node and not docker" --cov --cov-report=term:skip-covered

test-node: $(VENV)/dev.stamp ## tests with real Nx and pnpm on examples/all-erp
	$(BIN)/pytest -q -m "node"

# One process: what it starts serves all its tests, and ends with it unless `make infra-up` ran.
test-docker: $(VENV)/dev.stamp ## tests on a real engine, registry, cluster: each station, e2e, the ground
	$(DURING) $(BIN)/pytest -v --durations=10 -m "docker"

e2e: $(VENV)/dev.stamp ## a commit becomes a running release: the six proofs
	$(DURING) $(BIN)/pytest -v -m "docker" tests/e2e

test-infra: $(VENV)/dev.stamp ## tests of the proving ground itself: engine, images, Kubernetes
	$(DURING) $(BIN)/pytest -q -m "docker" tests/infra

infra-up infra-status infra-down: infra-%: $(VENV)/dev.stamp ## engine, registry, images, cluster, runner
	@$(BIN)/python -m tests.infra $*

lint: $(VENV)/dev.stamp ## ruff, mypy, the one-way rule of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/dev.stamp ## build the documentation, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: $(VENV)/dev.stamp ## read the documentation while writing it
	$(BIN)/mkdocs serve

# The ground's servers would be heard in the times of what needs none of them.
bench: $(VENV)/dev.stamp ## measure beside Nx and plain docker build, and print the tables
	$(BIN)/python -m benchmarks affected plan pipeline
	$(DURING) $(SHELL) -c 'ground=$$($(BIN)/python -m tests.infra env) && eval "$$ground" && $(BIN)/python -m benchmarks stations'

lock: ## write the locked requirements anew
	@$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet uv
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-annotate --no-header \
	    --python-version 3.11 pyproject.toml -o requirements/run.txt
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-annotate --no-header \
	    --python-version 3.11 pyproject.toml --group test --group lint --group docs -o requirements/dev.txt

clean: ## remove what was made here
	rm -rf $(VENV) .coverage htmlcov site .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help demo test test-fast coverage test-node test-docker e2e test-infra infra-up infra-status infra-down lint docs docs-serve bench lock clean
