# Sideman. `make jam` serves, `make test` tests; both set up everything they need in .venv, nothing outside but uv's and JAX's caches.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true

.PHONY: help jam setup test check fmt lint types imports generated bench observe clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

jam: $(VENV)/.serves  ## set up and serve on this machine (Ctrl-C stops)
	@exec $(BIN)/sideman serve

setup: $(VENV)/.develops  ## set up everything for development

test: setup lint types imports generated  ## every check and every test
	$(BIN)/pytest -n 2 --dist loadfile

check: setup lint types imports generated  ## the inner loop: all checks, fast tests
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

fmt: setup  ## format and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint:
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports --no-logo >$(VENV)/imports.log || (cat $(VENV)/imports.log; exit 1)

generated:
	$(BIN)/python clients/generate.py --check
	$(BIN)/python tests/schema/make_vectors.py --check
	$(BIN)/python -m deploy.monitoring.dashboards --check

bench: setup  ## how fast plans are made on this machine
	$(BIN)/sideman bench engine

observe: setup  ## the service, Prometheus and a minute of players, and where to look
	$(BIN)/python -m deploy.observe

clean:  ## remove the environment
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "expected Python 3.11 or newer, got $$($(PYTHON) --version); name another with: make PYTHON=python3.12"; exit 1)
	$(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check uv

$(VENV)/.serves: $(VENV)/bin/python pyproject.toml uv.lock
	$(UV) sync -q --frozen --no-dev --inexact --python $(BIN)/python
	@touch $@

$(VENV)/.develops: $(VENV)/bin/python pyproject.toml uv.lock
	$(UV) sync -q --frozen --all-extras --python $(BIN)/python
	@touch $(VENV)/.serves $@
