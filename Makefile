# `make run` and `make test` need Python 3.11 and nothing else: each sets up what is missing.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WORKERS ?= 2

.PHONY: run test browser lint kernels bench bench-risk bench-neural bench-gateway chaos clean
.DEFAULT_GOAL := help

help:
	@echo "make run    set up, then let the swarm paper-trade the embedded market data (ARGS=... for options)"
	@echo "make test   set up, then lint and test everything (ARGS=... for pytest options)"
	@echo "make lint   ruff, mypy --strict and the import contracts"
	@echo "make bench  the benchmarks: order path, gate, swarm, main job, sweeps, event simulator, features"
	@echo "make bench-risk  optimisers and Monte Carlo beside other libraries, and 2,000 adversarial problems"
	@echo "make bench-neural  forecasters: long-horizon errors, intervals, GAN, training cost (ETT=ETTh1.csv EXCHANGE=exchange_rate.txt.gz)"
	@echo "make bench-gateway  what the gateway's layers cost, what it serves on Ray Serve (needs wrk), and 200 followers of its stream"
	@echo "make chaos  1,000 kills of a trader with its journal in SQLite and 200 with it in PostgreSQL, and their audits"
	@echo "make clean  remove the virtual environment and caches"

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: '$(PYTHON)' was not found. Install it or call: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m jobs.warm_up
	@touch $(STAMP)

run: $(STAMP)
	$(BIN)/nt-ray run $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

kernels: $(STAMP)
	$(BIN)/python -m jobs.warm_up --all

# The dashboard is tested in a browser. As root on Debian it is installed once; where that is not possible, those tests
# are skipped and say so.
browser:
	@if test -x /usr/bin/chromium || ! test -f /etc/debian_version || test "$$(id -u)" != 0; then exit 0; fi; \
	echo "Installing chromium for the tests of the dashboard."; \
	{ timeout 600 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 900 apt-get install -qq --yes --no-install-recommends chromium; } \
	>/dev/null 2>&1 || echo "chromium could not be installed: the tests of the dashboard are skipped."

# Types are checked on one core while the other compiles. Tests run in two processes, each with a Ray of its own; files
# are handed out in the order of tests/conftest.py, not by the number of their tests.
test: $(STAMP) browser
	$(MAKE) --jobs 2 lint kernels
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks.order_path
	$(BIN)/python -m benchmarks.gate
	$(BIN)/python -m benchmarks.swarm_round
	$(BIN)/python -m benchmarks.default_run
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.event_simulator
	$(BIN)/python -m benchmarks.features_latency
	$(BIN)/python -m benchmarks.journal

# The peers' rows need `sh benchmarks/risk_peers.sh` once.
bench-risk: $(STAMP)
	$(BIN)/python -m benchmarks.risk
	$(BIN)/python -m benchmarks.risk_problems
	$(BIN)/python -m benchmarks.monte_carlo

# The peer's row needs `sh benchmarks/neural_peer.sh` once, the GPU's a GPU; each says so where it has none.
bench-neural: $(STAMP)
	@test -n "$(ETT)" && test -n "$(EXCHANGE)" || { echo "Give the data: make bench-neural ETT=ETTh1.csv EXCHANGE=exchange_rate.txt.gz" >&2; exit 2; }
	$(BIN)/python -m benchmarks.neural_ltsf --ett "$(ETT)" --exchange "$(EXCHANGE)"
	$(BIN)/python -m benchmarks.neural_intervals --ett "$(ETT)"
	$(BIN)/python -m benchmarks.gan
	$(BIN)/python -m benchmarks.neural_peer
	$(BIN)/python -m benchmarks.neural_gpu
	$(BIN)/python -m benchmarks.inference

# The load on Ray Serve comes from wrk: `apt-get install wrk` once.
bench-gateway: $(STAMP)
	$(BIN)/python -m benchmarks.gateway
	$(BIN)/python -m benchmarks.gateway_serve
	$(BIN)/python -m benchmarks.gateway_stream

chaos: $(STAMP)
	$(BIN)/python -m benchmarks.chaos

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
