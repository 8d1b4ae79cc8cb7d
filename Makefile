# make run | make test: on a machine with Python 3.11 or newer, nothing else to type.
# PYTHON=... picks an interpreter; otherwise the first of these that is new enough.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
# EXTRAS=dev,baselines make test: with the packages that some methods need
EXTRAS ?= dev
# of make mlflow
PORT ?= 5000
comma := ,
BIN := $(VENV)/bin

.DEFAULT_GOAL := run
.PHONY: setup run test lint docs oldest newest mlflow

INSTALLED := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer found; name one with PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

run: setup
	$(BIN)/python run.py experiment=quickstart

# two workers of one thread each: deterministic, and kind to a laptop
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the documentation in site/, notebooks executed, broken links an error
docs: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS),docs]'
	$(BIN)/mkdocs build --strict --quiet

# the core with the oldest or newest versions that pyproject.toml allows, installed as users do, in an environment of its own
oldest newest:
	PYTHON=$(PYTHON) .ci/dependencies $@

# one worker and no job queue: one reader needs no more, and each takes seconds to start
mlflow: setup
	@mkdir -p outputs
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true PYTHONWARNINGS=ignore \
		$(BIN)/mlflow ui --workers 1 --uvicorn-opts=--no-access-log --port $(PORT) --backend-store-uri sqlite:///outputs/mlflow.db
