# `make help` lists the targets. Everything runs in .venv, made from requirements.lock with every hash checked.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# DVC and the notebooks' kernels are found in .venv, and nothing of the user's own environment leaks in.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH

.PHONY: help setup study test lint bench lock clean lab

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/ready ## Make .venv from requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "leukstudy needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Try: make $(MAKECMDGOALS) PYTHON=python3.12" % v)'
	@echo "Setting up .venv (a few minutes, once)"
	@rm -f $@
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@mkdir -p build/live  # where `dvc plots` looks for live curves: it complains of a folder that is missing
	@touch $@

study: setup ## Run the study (dvc repro), print where the report is and whether the committed results are reproduced
	@LEUKSTUDY_STARTED=$$(date +%s) $(BIN)/dvc repro
	@echo; echo "The report: $(CURDIR)/reports/index.html"; echo
	@$(BIN)/leukstudy reproduced --if-unchanged

test: setup ## Run every test
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

lint: setup ## Check the style of code and notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: setup ## Print what the heavy parts cost, each beside its alternative (run nothing else meanwhile)
	@$(BIN)/python benchmarks/bench.py
	@$(BIN)/python benchmarks/audit.py
	@$(BIN)/python benchmarks/imaging.py
	@$(BIN)/python benchmarks/models.py

lock: setup ## Pin the dependencies of pyproject.toml anew in requirements.lock
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --extra app --extra dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --upgrade -o requirements.lock

lab: setup ## Open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

clean: ## Remove what the study made (build/, caches); data, reports and .venv stay
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
	@mkdir -p build/live
