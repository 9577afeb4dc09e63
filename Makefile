# `make` alone lists the targets. Each one does all its own set-up, into .venv and .synapse.
PYTHON ?= python3
VENV := .venv/bin
SETUP := $(PYTHON) tools/setup.py
CODE := bridge tests demo tools docker
# Two at a time: half of the suite waits for disks and for programs it has started.
WORKERS ?= 2
ONCE ?=
BIND ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check deep busy bench image format reference lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: ## a real homeserver, the sandbox and the bridge; watch a conversation, then join it (ONCE=1 ends after it, BIND=ADDRESS opens it)
	@$(SETUP) runtime synapse
	@ONCE="$(ONCE)" BIND="$(BIND)" $(VENV)/python -m demo

test: check ## check, then every test: ten minutes on two cores (REQUIRE_ALL=1: a missing program is a failure)
	@$(SETUP) synapse peers
	@$(VENV)/pytest -m "not deep" --ignore=tests/house -n $(WORKERS) --dist loadfile $(ARGS)

check: ## format, lint, types, the rules of the house; under a minute
	@$(SETUP) test
	@$(VENV)/ruff format --check --quiet $(CODE) || { echo "Not formatted: run 'make format'."; exit 1; }
	@$(VENV)/ruff check --quiet $(CODE)
	@$(VENV)/mypy $(CODE)
	@$(VENV)/pytest -q -m "not deep" -n $(WORKERS) tests/house

deep: ## the longer forms of the tests, among them a kill at every failpoint: forty minutes
	@$(SETUP) test synapse peers
	@$(VENV)/python -m tests.matrix.dendrite
	@$(VENV)/pytest -m deep -n $(WORKERS) --dist loadfile $(ARGS)

busy: ## timing-sensitive tests 20 times beside two busy processes (TIMES=N, ARGS=tests)
	@$(SETUP) test synapse
	@$(VENV)/python -m tests.busy $(ARGS)

bench: ## measure, as ratios of one run
	@$(SETUP) test peers
	@$(VENV)/python -m tests.bench $(ARGS)

image: ## build the container image with Docker (BASE=IMAGE names another base)
	@sh docker/build-image.sh

format: ## format the code and mend what the linter can
	@$(SETUP) test
	@$(VENV)/ruff check --fix --quiet $(CODE) || true
	@$(VENV)/ruff format --quiet $(CODE)

reference: ## write docs/reference/ anew from the code
	@$(SETUP) runtime
	@$(VENV)/python -m tools.reference

lock: ## pin requirements/*.txt anew from *.in (UPGRADE=1 also takes newer versions)
	@$(SETUP) runtime
	@$(VENV)/python -m tools.lock

clean: ## remove what the other targets made
	rm -rf .venv .synapse .cache build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find tests -name node_modules -type d -prune -exec rm -rf {} +
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
