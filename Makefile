# Every target makes .venv first; a machine needs python3 (3.11 or newer) and make.

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.runtime-installed
DEV := .venv/.dev-installed

# Tests and the demo start many processes, which are slow where each compiles everything again.
export PYTHONDONTWRITEBYTECODE :=

# Each takes tests that follow each other, and then from the others: fixtures are made less often.
WORKERS := -n 3 --dist worksteal

# Prints what a command said only if it failed.
quietly = @said=$$($(1) 2>&1) || { printf '%s\n' "$$said"; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench bench-full chaos check-browser format documents clean

help: ## Say what the targets do
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "make %-13s %s\n", $$1, $$2}'

install: $(DEV) ## Make .venv with everything that tests and checks need

demo: $(RUNTIME) ## Play the main job through, from an empty folder to an invoice
	@$(BIN)/python -m tests.demo

test: $(DEV) ## Run the tests
	@$(BIN)/pytest -q $(WORKERS)

check: $(DEV) ## Format, lint, types, layers, documents, tests with branch coverage
	$(call quietly,$(BIN)/ruff format --check .)
	$(call quietly,$(BIN)/ruff check .)
	$(call quietly,$(BIN)/mypy)
	$(call quietly,$(BIN)/lint-imports)
	$(call quietly,$(BIN)/python -m tests.support.documents --check)
	@$(BIN)/pytest -q $(WORKERS) --cov --cov-report=term:skip-covered

bench: $(DEV) ## Measure; each figure is a ratio within one run (about 4 minutes)
	@$(BIN)/python -m tests.bench

bench-full: $(DEV) ## Measure at scale, in parts of less than ten minutes each: PART=…
	@$(BIN)/python -m tests.bench.full $(PART)

chaos: $(DEV) ## Kill, fault and overlap syncs, and prove that nothing is lost or doubled
	@$(BIN)/python -m tests.chaos $(CHAOS)

check-browser: $(DEV) ## Open reports in a headless Chromium: figures, width, contrast, no requests
	@$(BIN)/python -m tests.browser

format: $(DEV) ## Format the code and mend what the linter can
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

documents: $(DEV) ## Write config.example.toml and the generated parts of the README
	@$(BIN)/python -m tests.support.documents --write

clean: ## Remove what the other targets left behind, but not .venv
	@rm -rf .demo .bench build dist .coverage .coverage.* htmlcov .hypothesis
	@rm -rf .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old: aimeter needs Python 3.11 (make PYTHON=python3.12 …)"; exit 1; }
	@$(PYTHON) -m venv .venv

$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "Installing aimeter into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "Installing aimeter and its development tools into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(RUNTIME) $@
