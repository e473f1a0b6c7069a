# fairshare: `make demo` shows it, `make test` checks it. Both do all the set-up they need. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# One thread per process: the processes share the cores, and float sums do not depend on the machine's size.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export QUICK

.DEFAULT_GOAL := help
.PHONY: help demo test check docs unit forge slither coverage guards mutants differential honest deep soak artifacts contracts format clean

help: ## list the targets
	@grep -hE '^[a-z][a-z%-]*:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: .venv/run ## set up, then run a whole federation on this machine (needs Python alone)
	$(BIN)/fairshare demo

test: check docs artifacts forge unit ## set up, then run every check (needs Node for the contracts)

check: .venv/dev ## lint, format, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev ## build the documentation in docs/out; a broken link or reference fails
	$(BIN)/python -m sphinx -q -W --keep-going docs docs/out

# A file's tests stay in one process: they share the chain, the service or the round that the file sets up.
unit: .venv/dev contracts/node_modules ## the Python tests, on all cores
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

forge: contracts/node_modules ## lint, unit, fuzz and invariant tests of the contracts
	cd contracts && npm run --silent lint && npm run --silent test

# Static analysis: detectors excluded in contracts/slither.config.json are `timestamp`, since deadlines are the design and a
# validator can shift the time by seconds only, and `naming-convention`, since constants are views with a constant's name.
# Every other exclusion stands beside its line. Not in `make test`: it is an environment of its own, and half a minute.
slither: contracts/node_modules contracts/tools/.venv/ready ## analyse the contracts statically; any finding fails
	cd contracts && PATH="$$PWD/tools:$$PATH" FOUNDRY_PROFILE=slither tools/.venv/bin/slither .

coverage: contracts/node_modules ## fail unless the tests cover 98 % of the contracts' lines and branches
	$(PYTHON) contracts/tools/coverage.py

guards: contracts/node_modules ## take the contracts' guards away one by one: a test must fail (can be stopped)
	$(PYTHON) contracts/tools/guards.py

mutants: contracts/node_modules ## make slips of the pen in the contracts one by one: a test must fail (ALL=1: all, can be stopped)
	$(PYTHON) contracts/tools/mutants.py

differential: .venv/dev contracts/node_modules
	SOAK=1 $(BIN)/python -m pytest tests/contracts/test_differential.py

honest: .venv/dev contracts/node_modules
	SOAK=1 $(BIN)/python -m pytest tests/contracts/test_honest_rounds.py

deep: contracts/node_modules
	cd contracts && FOUNDRY_PROFILE=soak npm run --silent test

soak: .venv/dev ## the long checks of the contracts: analysis, coverage, deep fuzzing, guards (an hour or two; FROM=step goes on)
	$(PYTHON) contracts/tools/soak.py $(FROM)

artifacts: .venv/dev contracts/node_modules ## fail if contracts/artifacts differ from the sources
	$(BIN)/python -m ledger.build --check

contracts: .venv/dev contracts/node_modules ## rebuild contracts/artifacts from the sources
	$(BIN)/python -m ledger.build

bench-gate-full: .venv/dev bench/.venv/ready ## measure the gate on the sampled full grid, 300 federations (hours; can be stopped)
	$(BIN)/python -m bench.gate full

gate-defaults: .venv/dev ## fit the gate's default weights and thresholds anew, and write them into aggregator/template.py
	$(BIN)/python -m bench.gate.defaults --write

bench-gas: contracts/node_modules

bench-%: .venv/dev bench/.venv/ready ## measure, as in `make bench-contributions` (QUICK=1: in five minutes)
	$(BIN)/python -m bench.$*

format: .venv/dev contracts/node_modules ## format all sources
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	cd contracts && npm run --silent format

clean: ## remove what was installed and built
	rm -rf .venv bench/.venv contracts/tools/.venv contracts/node_modules contracts/out contracts/cache docs/out

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fairshare needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv .venv

# An editable installation has a copy of the artifacts, which stands before the sources: a new contract takes a new installation.
.venv/run: .venv/bin/python pyproject.toml constraints.txt $(wildcard contracts/artifacts/*.json)
	@echo "Installing fairshare into .venv (once; about a minute) …"
	@$(PIP) --editable .
	@touch $@

.venv/dev: .venv/run
	@echo "Installing the tools for the checks into .venv …"
	@$(PIP) --editable '.[dev]'
	@touch $@

# The peers of the benchmarks want other versions of what fairshare stands on, so they get an environment of their own.
bench/.venv/ready: bench/requirements.txt
	@echo "Installing the peers of the benchmarks into bench/.venv …"
	@$(PYTHON) -m venv bench/.venv
	@bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

contracts/tools/.venv/ready: contracts/tools/slither-requirements.txt
	@echo "Installing the static analyser into contracts/tools/.venv …"
	@$(PYTHON) -m venv contracts/tools/.venv
	@contracts/tools/.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

contracts/node_modules: contracts/package-lock.json
	@echo "Installing the Solidity tools into contracts/node_modules …"
	@cd contracts && npm ci --no-fund --no-audit --loglevel=error
	@touch $@
