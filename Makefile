# make run   the dashboard        make test   lint, types, import contracts, all tests        make hunt   new examples
# Each makes its own virtual environment; only Python 3.11 or newer and make are needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: run test lint types imports tests hunt bench clean
.DEFAULT_GOAL := run

$(BIN)/.product: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(BIN)/.developer: $(BIN)/.product pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

run: $(BIN)/.product
	@$(BIN)/signaldeck $(ARGS)

lint: $(BIN)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.developer
	$(BIN)/mypy

imports: $(BIN)/.developer
	$(BIN)/lint-imports

# Those that mostly wait go last and many at a time: beside busy ones they would miss their deadlines.
tests: $(BIN)/.developer
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not waits"
	$(BIN)/python -m pytest -n 6 --dist worksteal -m waits

# Looks for what nobody thought of: the laws with new examples, and many of them.
hunt: $(BIN)/.developer
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not waits" --hypothesis-profile=hunt

test: lint types imports tests

bench: $(BIN)/.developer
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis
