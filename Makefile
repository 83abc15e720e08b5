# `make help` lists the targets. Everything runs in .venv, made from the locks with every hash checked.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# DVC and the notebooks' kernels are found in .venv, and nothing of the user's own environment leaks in.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
INSTALL_LOCK := $(INSTALL) --require-hashes --requirement

.PHONY: help setup setup-app setup-scale study test lint bench lock clean lab

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# A .venv is whole when its set-up ended (.venv/ready) and its scripts start. They do not when the folder was moved
# or when the Python that made it is gone.
setup: ## Make .venv for the study, its tests and lint; one that is broken is made anew
	@if [ -e .venv ] && ! { [ -e .venv/ready ] && $(BIN)/pip --version; } >/dev/null 2>&1; then \
	  echo ".venv is broken (a set-up that did not end, or a moved folder): making it anew"; rm -rf .venv; fi
	@$(MAKE) --silent .venv/ready

setup-app: setup ## Add the page, the service and the export formats to .venv
	@$(MAKE) --silent .venv/ready-app

setup-scale: setup ## Add what runs on many machines (Ray, NVFlare) to .venv
	@$(MAKE) --silent .venv/ready-scale

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "leukstudy needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Try: make setup PYTHON=python3.12" % v)'
	@echo "Setting up .venv (a few minutes, once)"
	@rm -f $@
	@$(PYTHON) -m venv .venv
	@$(INSTALL_LOCK) $<
	@PYTHONWARNINGS=ignore $(INSTALL) --no-build-isolation --editable .  # setuptools warns at every editable install
	@mkdir -p build/live  # where `dvc plots` looks for live curves: it complains of a folder that is missing
	@touch $@

.venv/ready-%: requirements-%.lock .venv/ready
	@echo "Adding what $< names to .venv"
	@$(INSTALL_LOCK) $<
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
	@$(BIN)/python benchmarks/gpu.py

# uv keeps the versions that stand in the file it writes to. So everything is resolved together, from the versions of
# all locks, and each lock is then a part of that: a package has one version everywhere.
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header

lock: setup ## Pin pyproject.toml in the locks; versions stay where they can (UPGRADE=1: the newest)
	@rm -rf build/locks && mkdir -p build/locks
	@cat requirements*.lock > build/locks/all
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev --extra app --extra serve --extra export --extra scale --extra federated -o build/locks/all
	@for lock in requirements requirements-app requirements-scale; do cp build/locks/all build/locks/$$lock.lock; done
	@$(COMPILE) --extra dev -o build/locks/requirements.lock
	@$(COMPILE) --extra app --extra serve --extra export -o build/locks/requirements-app.lock
	@$(COMPILE) --extra scale --extra federated -o build/locks/requirements-scale.lock
	@mv build/locks/*.lock .

lab: setup ## Open the notebooks in JupyterLab
	@$(BIN)/python -c "import leukstudy, os; os.execvp('jupyter', ['jupyter', 'lab', 'notebooks'])"  # with the pins of its numbers

clean: ## Remove what the study made (build/, caches); data, reports and .venv stay
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
	@mkdir -p build/live
