# Everything a newcomer needs. `make demo` shows it, `make test` proves it.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.9.0
export TRUELIFT_HOME ?= $(CURDIR)/.truelift

.PHONY: help setup demo test test-fast check format lock dev sql bench

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(VENV)/.installed  ## virtual environment with the pinned packages

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Truelift needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: setup  ## simulate a company and carry it to published marts
	$(BIN)/truelift demo

test: setup  ## all tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: setup  ## the tests that take seconds
	$(BIN)/pytest -n 2 -m "not slow"

check: setup  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models --config dbt_project/.sqlfluff

format: setup  ## put code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup  ## pin the packages anew after a change of pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --python-version 3.11 --output-file requirements.lock \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate

dev: setup  ## Dagster UI and daemon on http://127.0.0.1:3000
	$(BIN)/truelift dev

sql: setup  ## query the published marts: make sql Q="select …"
	$(BIN)/truelift sql "$(Q)"

bench: setup  ## measure speed; writes benchmarks/results
	$(BIN)/python -m benchmarks
