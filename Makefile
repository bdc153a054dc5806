# Everything happens inside .venv: no system change, no other tool than python3 and make.
#   make demo    see NOMAD reduced live from a simulated beamline
#   make test    all tests
#   make check   ruff, mypy, lint-imports, then all tests (what CI runs)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.livered-setup
MANIFESTS := pyproject.toml plugins/nom/pyproject.toml plugins/publish_monitor/pyproject.toml

.PHONY: setup demo test test-slow check lint types imports format bench wheels clean

setup: $(STAMP)

$(STAMP): $(MANIFESTS) Makefile
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "livered needs Python 3.10 or newer, and $(PYTHON) is %d.%d: install one, or say which to use with make PYTHON=python3.12" % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[native,simulator,scipp]' --editable plugins/nom --editable plugins/publish_monitor --group dev
	@touch $(STAMP)

demo: setup
	$(BIN)/livered run --instrument NOM --simulate --stop-after-run

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

check: lint types imports test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheels: setup
	$(BIN)/uv build --all-packages --wheel --out-dir dist

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
