# Set-up is part of every target: .venv is made when it is missing or the requirements changed, and reused otherwise.
PYTHON ?= python3
BIN := .venv/bin
USE := .venv/.installed
DEV := .venv/.installed-dev

.PHONY: help demo test test-gpu gradcheck conformance bench grade notebooks docs lint clean
.DEFAULT_GOAL := help

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(USE) ## the main job on faces that it draws itself, a few minutes
	$(BIN)/faces demo

test: $(DEV) ## every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-gpu: $(DEV) ## mytorch's tests on an NVIDIA GPU too; needs the extra cuda12 or cuda13
	$(BIN)/python -m pytest -m gpu tests/mytorch

gradcheck: $(DEV) ## every layer's gradients against PyTorch and against differences, as a table
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.gradients --seed 0 --draws 400

conformance: $(DEV) ## PyTorch's and ONNX's own test inputs given to mytorch: what agrees, as a table
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.conformance

bench: $(USE) ## mytorch against PyTorch, timed: some minutes on an idle machine
	$(BIN)/faces bench --json results/bench.json --chart results/bench.png

grade: $(USE) ## grade our own solution of the course's assignment; for another: .venv/bin/python -m autograder grade FOLDER
	$(BIN)/python -m autograder grade --reference

notebooks: $(DEV) ## the lessons, run from top to bottom and stored with their outputs
	OMP_NUM_THREADS=1 $(BIN)/python -m notebooks.execute

docs: $(DEV) ## the documentation site, built without a network into docs/build/site
	OMP_NUM_THREADS=1 $(BIN)/python -m docs

lint: $(DEV) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove what the targets made
	rm -rf .venv demo build docs/build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python 3.11 or later is needed, this is {v[0]}.{v[1]}; try: make PYTHON=python3.12" if v < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

$(USE): setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[faces]'
	touch $@

$(DEV): setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(USE)
