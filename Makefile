# Everything happens inside .venv: no system change, no other tool than python3 and make.
#
#   make demo       see NOMAD reduced live from a simulated beamline
#   make test       all tests
#   make check      ruff, mypy, lint-imports, the documentation, the ratios, then all tests (what CI runs)
#
#   make setup      only make or renew .venv; the others do that by themselves
#   make lint       only ruff; make types: only mypy; make imports: only lint-imports
#   make docs       build the site of the documentation into build/site, strictly and without network
#   make reference  write the pages anew that are made of the code: hooks, commands, names, packets, configuration
#   make test-slow  the tests that the others leave out because they are long
#   make faults     act out every fault, and write the table of docs/what-happens-when.md
#   make soak       faults for an hour, a day of pulses, thousands of runs; SOAK_MINUTES=600 for a night
#   make fuzz       fuzz the stream's parser for ten minutes; FUZZ_EXAMPLES=1000000 for a night
#   make format     let ruff repair what it can
#   make bench      measure everything, in less than ten minutes: benchmarks/results.json, and the tables of docs/performance.md
#   make ratios     measure again how fast things are beside others, and compare with what was committed
#   make screenshots  take the pictures of the live page anew (needs Chromium)
#   make wheels     build the distributions into dist/
#   make clean      remove .venv and all that was built
#
#   make PYTHON=python3.12 setup    with that Python; it is remembered
#   make VENV=FOLDER test           with a virtual environment elsewhere

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.livered-setup
MANIFESTS := pyproject.toml plugins/nom/pyproject.toml plugins/publish_monitor/pyproject.toml
BUILT := dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

ifneq ($(words $(VENV)),1)
$(error VENV is "$(VENV)": make knows no names with spaces, so name another folder)
endif

# Where VENV has lost its Python, or another is asked for by name, VENV is made anew.
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])'
ANEW := $(if $(realpath $(BIN)/python),,anew)
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) $(VERSION) 2>/dev/null),$(shell $(BIN)/python $(VERSION) 2>/dev/null))
ANEW := anew
endif
endif

# Only a folder that this file made may be removed or emptied: .venv, and what has our stamp.
OURS := test $(VENV) = .venv || test -e $(STAMP)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow faults soak fuzz check lint types imports docs reference format bench ratios screenshots wheels clean anew

help:
	@sed -n '/^$$/q; s/^#   //p' Makefile

setup: $(STAMP)
	@:

# An environment whose set-up was finished is kept and brought up to date; any other is begun again.
$(STAMP): $(MANIFESTS) Makefile $(ANEW)
	@set -eu; say() { echo "$$*" >&2; exit 1; }; \
	if test -e $(STAMP) && test -z '$(ANEW)' && $(BIN)/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	if test -e $(VENV); then $(OURS) || say '$(VENV) is there and its set-up was not finished by make: remove it, or name another folder with VENV=FOLDER.'; fi; \
	$(PYTHON) -c '' 2>/dev/null || say 'There is no $(PYTHON) here: install Python 3.10 or newer, or say which to use with make PYTHON=python3.12.'; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || say "livered needs Python 3.10 or newer, and $(PYTHON) is $$($(PYTHON) $(VERSION)): install one, or say which to use with make PYTHON=python3.12."; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || say '$(PYTHON) cannot make virtual environments, because it has no ensurepip: install it (on Debian and Ubuntu: apt install python3-venv).'; \
	echo "Setting up $(VENV) with Python $$($(PYTHON) $(VERSION)): about a minute the first time."; \
	$(PYTHON) -m venv --clear $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dashboard,native,total,pystog,simulator,scipp,dask]' --editable plugins/nom --editable plugins/publish_monitor --group dev
	@touch $(STAMP)

demo: setup
	$(BIN)/livered run --instrument NOM --simulate --stop-after-run --dashboard

# Two processes: most tests wait for processes of their own.
test: setup
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile

# Exit code 5 of pytest: no test is marked slow.
test-slow: setup
	$(BIN)/python -m pytest -m 'slow and not soak' || test $$? -eq 5

faults: setup
	@mkdir -p build
	$(BIN)/python -m pytest -m 'not soak' -n 2 --dist loadfile tests/faults --faults-json build/faults.json
	$(BIN)/python docs/tools/fill_in_faults.py docs/what-happens-when.md build/faults.json

SOAK_MINUTES ?= 60

soak: setup
	@mkdir -p build
	SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m pytest -m soak tests/faults --faults-json build/soak.json
	$(BIN)/python docs/tools/fill_in_faults.py docs/what-happens-when.md build/soak.json

FUZZ_EXAMPLES ?= 20000

fuzz: setup
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -m slow tests/testing/test_fuzz.py

check: lint types imports docs ratios test

# Not what somebody makes here while following the tutorial.
CODE := benchmarks docs examples plugins src tests

lint: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

# Always anew: of a page that is kept from before, no warning would be said again.
docs: setup
	@rm -rf build/site
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet --fresh-env --write-all \
		--conf-dir docs --doctree-dir build/doctrees . build/site
	@echo 'The site is at build/site/index.html.'

reference: setup
	$(BIN)/python -m livered_core.config.reference docs/configuration.md
	$(BIN)/python docs/tools/make_hooks_reference.py
	$(BIN)/python docs/tools/make_cli_reference.py
	$(BIN)/python docs/tools/make_api_reference.py
	$(BIN)/python docs/tools/make_adara_reference.py
	$(BIN)/python docs/tools/make_performance.py
	$(BIN)/python docs/tools/make_beyond.py

format: setup
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: setup
	$(BIN)/python benchmarks/bench.py

ratios: setup
	$(BIN)/python benchmarks/ratios.py

screenshots: setup
	$(BIN)/python docs/tools/screenshots.py

wheels: setup
	$(BIN)/uv build --all-packages --out-dir dist

clean:
	@! test -e $(VENV) || $(OURS) || { echo '$(VENV) was not made by make: it stays.' >&2; exit 1; }
	rm -rf $(VENV) $(BUILT)
