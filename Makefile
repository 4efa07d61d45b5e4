# `make run` and `make test` do all the set-up themselves. Everything lands in .venv.

PYTHON ?= python3
BIN := .venv/bin
SECONDS ?= 600
# Each worker runs its own servers; an idle worker takes tests from the other.
WORKERS := -n 2 --dist worksteal

.PHONY: install run test test-long unit check prose docs reference screens servers bench fuzz clean

install: .venv/run

run: .venv/run
	$(BIN)/cloudforest up topologies/new-hybrid-customer --once

test: check servers
	$(BIN)/pytest $(WORKERS)

# Kills at every moment, large volumes and all examples; `make test` takes a sample.
test-long: check servers
	$(BIN)/pytest $(WORKERS) --long

# No server, no root, under a minute on two cores.
unit: .venv/dev
	$(BIN)/pytest $(WORKERS) tests/unit

check: .venv/dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m scripts.prose

# Phrases that we no longer write.
prose: .venv/bin/python
	$(BIN)/python -m scripts.prose

# The site, in `site/`. A warning, such as a broken link, is an error.
docs: .venv/docs reference
	$(BIN)/zensical build --clean --strict
	$(BIN)/python -m scripts.check_site

# The pages of docs/reference that are made from the code; a test compares them.
reference: .venv/run
	$(BIN)/python -m scripts.reference

# Terminal screens and example outputs in docs/, from commands that really run.
screens: .venv/run
	$(BIN)/python -m scripts.screens

servers:
	scripts/install-servers

bench: .venv/dev
	$(BIN)/python -m benchmarks.run

# Coverage-guided, each for as many seconds: nothing crashes, hangs or breaks a law.
fuzz: .venv/fuzz
	for each in expressions filters; do \
	  $(BIN)/python -m tests.fuzz.$$each .venv/corpus/$$each \
	    -max_total_time=$(SECONDS) -artifact_prefix=.venv/corpus/ || exit 1; \
	done

.venv/fuzz: .venv/dev
	$(BIN)/pip install --quiet --constraint constraints.txt --group fuzz
	touch $@

.venv/bin/python:
	scripts/make-venv $(PYTHON)

.venv/run: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/docs: .venv/run
	$(BIN)/pip install --quiet --constraint constraints.txt --group docs
	touch $@

.venv/dev: .venv/run
	$(BIN)/pip install --quiet --constraint constraints.txt --group dev
	touch $@

clean:
	rm -rf .venv .cache site topologies/*/.cloudforest
