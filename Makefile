# Every target sets up what it needs by itself: `make check` works in a fresh clone on a machine
# with Python 3.11 or newer, make and git.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
EXAMPLE := python examples/engines/exchange.py

# A stamp carries the content of what it stands for in its name, so that a second call is quick and
# a changed requirement is noticed, whatever the file times say.
sum = $(shell cat $(1) | cksum | cut -d' ' -f1)
VENV := .venv/bin/python
RUN := .venv/.run-$(call sum,requirements/run.txt pyproject.toml)
BLUEFIN := .venv/.bluefin-$(call sum,requirements/bluefin.txt pyproject.toml)
DEV := .venv/.dev-$(call sum,requirements/dev.txt pyproject.toml)

.PHONY: help
help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: check
check: prove check-example check-bluefin ## prove the rules, then hold the example engine and Bluefin to them

.PHONY: prove
prove: $(RUN) ## prove the theorems about the rules, and show the property ledger
	$(BIN)/perpref prove

.PHONY: check-example
check-example: $(RUN)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/perpref check '$(EXAMPLE)'

.PHONY: check-bluefin
# `perpref check` exits with 1 when it finds anything, and here it does. What must hold is that it
# finds what docs/bluefin.md tells, no more and no less; hence also the seed.
check-bluefin: $(BLUEFIN)
	@status=0; $(BIN)/python -m perpref.adapters.bluefin.fetch || status=$$?; \
	if [ $$status -eq 3 ]; then \
	    echo "make: Bluefin is not checked: its contracts are published as an npm package."; \
	    exit 0; \
	fi; \
	[ $$status -eq 0 ] || exit $$status; \
	for deployment in arbitrum boba; do \
	    report=build/bluefin-$$deployment.json; \
	    echo "$(BIN)/perpref check bluefin:$$deployment --seed 1 --json $$report"; \
	    $(BIN)/perpref check "bluefin:$$deployment" --seed 1 --json $$report || [ $$? -eq 1 ]; \
	    $(BIN)/python -m perpref.adapters.bluefin.known $$report; \
	done

.PHONY: test
test: $(DEV) ## run all tests
	$(BIN)/pytest --numprocesses auto --dist worksteal

.PHONY: lint
lint: $(DEV) ## look for likely mistakes and for layout that differs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(DEV) ## check the types, strictly
	$(BIN)/mypy

.PHONY: docs
docs: $(DEV) ## build the book into docs/_build/html; a warning is a failure
	$(BIN)/sphinx-build -W --keep-going -E -q -c docs -b html . docs/_build/html
	@echo "The book is in docs/_build/html/index.html"

.PHONY: bench
bench: $(DEV) ## measure how fast the reference, the checker and the prover are
	$(BIN)/python -m bench

.PHONY: lock
lock: ## pin the newest allowed requirements again (needs uv)
	@command -v uv >/dev/null || { echo "make: uv is needed to pin requirements; install it and call again." >&2; exit 1; }
	requirements/lock

.PHONY: clean
clean: ## remove everything that make made, the virtual environment too
	rm -rf .venv build *.egg-info docs/_build docs/_generated .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find perpref proofs tests docs examples bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV):
	@python=""; \
	for candidate in python3.11 python3 python3.12 python3.13 python3.14; do \
	    if command -v $$candidate >/dev/null \
	        && $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "make: perpref needs Python 3.11 or newer, and neither python3.11 nor python3 is that." >&2; \
	    exit 1; \
	fi; \
	echo "$$python -m venv .venv"; \
	$$python -m venv .venv || { \
	    rm -rf .venv; \
	    echo "make: $$python cannot make a virtual environment; on Debian, install python3-venv." >&2; \
	    exit 1; \
	}

# One virtual environment serves all targets: the three files of pins agree where they overlap.
install = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1) \
	&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . \
	&& rm -f .venv/.$(2)-* && touch $@

$(RUN): | $(VENV)
	@echo "installing requirements/run.txt"
	@$(call install,requirements/run.txt,run)

$(BLUEFIN): | $(VENV)
	@echo "installing requirements/bluefin.txt"
	@$(call install,requirements/bluefin.txt,bluefin)

$(DEV): | $(VENV)
	@echo "installing requirements/dev.txt"
	@$(call install,requirements/dev.txt,dev)
