# The commands of this project. `make demo` and `make test` do all their own set-up; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVERS := prometheus prometheus-alertmanager
POSTGRES := postgresql-15
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
        --strip-extras --allow-unsafe --extra postgres $(if $(UPGRADE),--upgrade)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench faults lock setup setup-dev servers python

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup  ## show alerts becoming pages, on loopback only (ONCE=1: end by itself)
	@$(BIN)/responder demo $(if $(filter-out 0,$(ONCE)),--once)

test: setup-dev servers check  ## everything CI runs: set-up, check, command and real-server tests
	@echo "== command, real-server and fault tests"
	@$(BIN)/pytest tests/scripts tests/real tests/faults

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

bench: setup-dev  ## run every benchmark; each prints its ratio and its goal
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

faults: setup-dev servers  ## break everything while alerts come (SEED=17: that seed; SEEDS=100: so many, and the figures; FLOODS=1: in a flood)
	@$(BIN)/python -m tests.faults $(foreach name,SEED SEEDS FIRST JOBS,$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) $($(name)))) $(if $(filter-out 0,$(FLOODS)),--floods)

lock: setup-dev  ## write both requirements files anew from pyproject.toml (UPGRADE=1: with the newest versions)
	@echo "== locking (asks the package index, a minute or so)"
	@$(LOCK) --output-file requirements.txt pyproject.toml
	@$(LOCK) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

setup: $(VENV)/.package  ## make .venv with the locked packages

setup-dev: $(VENV)/.dev $(VENV)/.package  ## the same, with the tools of the developers

servers:  ## install Prometheus, Alertmanager and PostgreSQL for the tests, where that is possible
	@missing=; for name in $(SERVERS); do command -v $$name >/dev/null || missing="$$missing $$name"; done; \
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

# The stamps inside .venv say which part is there; a changed lock makes the whole folder anew.
$(VENV)/.run: requirements.txt
	@$(MAKE) --no-print-directory python
	@echo "== making $(VENV) with the locked packages (a minute or so)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "== adding the tools for developers"
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.run
	@$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

python:  ## check that Python can make the .venv
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) is missing: install Python 3.11 or newer (Debian: apt install python3 python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11: install a newer one and name it, as in make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install them (Debian: apt install python3-venv)"; exit 1; }
