# Everything runs in .venv, which is made on first use and again when pyproject.toml or constraints.txt change.
PYTHON ?= python3
VENV := .venv
BIN = $(VENV)/bin
QHN = $(BIN)/qhn
# a process for every core, and so a thread for every process: tests of threads ask for their number
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto
FAST := -m 'not slow'
VERSIONS := scripts/versions.py
BRAKET := .venv-braket
CHECK_PYTHON = $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and f"qhn needs Python 3.11 or newer, $(PYTHON) is {v[0]}.{v[1]}; try make PYTHON=python3.11")'

EXPERIMENT ?= gaussian-activation
TABLE ?= $(EXPERIMENT)
SWEEP ?= figure-2
# On a QPU also YES=1 (spend without asking) DETACH=1 (do not wait for jobs) INSTANCE=name (of the account)
# EXPERIMENT= is a preset, a .toml file, or a table such as data.csv, of which LABEL= is the column of classes
# BACKEND= is a name (qhn run --help), a plug-in's or module:factory, a function of yours that returns a machine (docs/machines.md)
# Any of these may be given: BACKEND= ANSATZ= LAYERS= ORDER= SHOTS= SEED= STEPS= RESULTS= ARGS='--set train.optimizer=sgd'
# and for estimate BUDGET= MAP=, for baseline EVALUATIONS= REPEATS=, for sweep and reproduce SEEDS= WORKERS=, EXECUTOR=dask|mpi
# and ADDRESS= of a dask scheduler (docs/clusters.md)
WORK = $(if $(BACKEND),--backend $(BACKEND)) $(if $(ANSATZ),--ansatz $(ANSATZ)) $(if $(LAYERS),--layers $(LAYERS)) $(if $(ORDER),--order $(ORDER)) \
	$(if $(SHOTS),--shots $(SHOTS)) $(if $(TILES),--tiles $(TILES)) $(if $(MITIGATION),--mitigation $(MITIGATION))
CHOICE = $(EXPERIMENT) $(if $(LABEL),--label '$(LABEL)')
OPTIONS = $(WORK) $(if $(SEED),--seed $(SEED))
PLACE = $(if $(RESULTS),--results $(RESULTS))
LENGTH = $(if $(STEPS),--steps $(STEPS))
MANY = $(if $(SEEDS),--seeds $(SEEDS)) $(POOL)
POOL = $(if $(WORKERS),--workers $(WORKERS)) $(if $(EXECUTOR),--executor $(EXECUTOR)) \
	$(if $(ADDRESS),--address $(ADDRESS))

ifdef INSTANCE
export QISKIT_IBM_INSTANCE := $(INSTANCE)
endif

.DEFAULT_GOAL := help
.PHONY: help init run resume jobs list show report replay circuits doctor estimate landscape ensemble baseline sweep search qsgd compare reproduce test test-slow test-braket test-newest test-oldest mutants lint bench bench-errors bench-tables chaos clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@echo "installing into $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-slow: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,dwave,dask,mpi,peers]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(VENV)/.installed-search: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[search]'
	@touch $@

$(VENV)/.installed-prediction: $(VENV)/.installed-search
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[search,peers]'
	@touch $@

$(VENV)/.installed-qsgd: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[qsgd]'
	@touch $@

init: $(VENV)/.installed  ## look at a table and write a configuration for it: TABLE=data.csv LABEL= OUTPUT=
	@$(QHN) init $(TABLE) $(if $(LABEL),--label '$(LABEL)') $(if $(OUTPUT),--output $(OUTPUT))

run: $(VENV)/.installed  ## train: EXPERIMENT= LABEL= BACKEND=(a name or module:factory) ANSATZ= LAYERS= SHOTS= SEED= STEPS= TILES= MITIGATION= INIT_FROM= WARM_START= ARGS=
	@$(QHN) run $(CHOICE) $(OPTIONS) $(LENGTH) $(if $(INIT_FROM),--init-from $(INIT_FROM)) $(if $(WARM_START),--warm-start $(WARM_START)) \
		$(if $(YES),--yes) $(if $(DETACH),--detach) $(PLACE) $(ARGS)

resume: $(VENV)/.installed  ## go on with the latest run, or RUN=; STEPS= extends it
	@$(QHN) resume $(RUN) $(LENGTH) $(if $(DETACH),--detach) $(PLACE) $(ARGS)

jobs: $(VENV)/.installed  ## how far the jobs of the latest run on a QPU, or of RUN=, are, and what they cost; KEEP=folder of answers
	@$(QHN) jobs $(RUN) $(if $(KEEP),--keep-answers $(KEEP)) $(PLACE)

list: $(VENV)/.installed  ## presets and runs
	@$(QHN) list $(PLACE)

show: $(VENV)/.installed  ## what the latest run, or RUN=, found
	@$(QHN) show $(RUN) $(PLACE)

report: $(VENV)/.installed  ## draw the figures of the latest run, or RUN=, again
	@$(QHN) report $(RUN) $(PLACE)

replay: $(VENV)/.installed  ## recompute the latest run, or RUN=, from its bits: ARGS='--set train.objective=cvar'
	@$(QHN) replay $(RUN) $(PLACE) $(ARGS)

ensemble: $(VENV)/.installed  ## predict by all networks measured in the latest run, or RUN=: STEP=
	@$(QHN) ensemble $(RUN) $(if $(STEP),--step $(STEP)) $(PLACE)

circuits: $(VENV)/.installed  ## write the circuits of all presets into circuits/
	@$(QHN) circuit --output circuits

doctor: $(VENV)/.installed  ## what is there and what is missing for a run on a QPU, and plug-ins; PROTOCOL=1 for this run: EXPERIMENT= BACKEND= ...
	@$(QHN) doctor $(if $(PROTOCOL),--protocol $(CHOICE) $(OPTIONS) $(LENGTH) $(PLACE) $(ARGS))

estimate: $(VENV)/.installed  ## qubits and price of a run on BACKEND=fake_torino or ibm_...: BUDGET= MAP=file.png; REHEARSALS=20 for E
	@$(QHN) estimate $(CHOICE) $(OPTIONS) $(LENGTH) $(if $(BUDGET),--budget $(BUDGET)) $(if $(MAP),--map $(MAP)) \
		$(if $(REHEARSALS),--rehearsals $(REHEARSALS)) $(PLACE) $(ARGS)

landscape: $(VENV)/.installed  ## enumerate all networks of EXPERIMENT=
	@$(QHN) landscape $(CHOICE) $(PLACE) $(ARGS)

baseline: $(VENV)/.installed  ## search EXPERIMENT= classically: EVALUATIONS= REPEATS= SEED= ARGS=
	@$(QHN) baseline $(CHOICE) $(if $(EVALUATIONS),--evaluations $(EVALUATIONS)) $(if $(REPEATS),--repeats $(REPEATS)) \
		$(if $(SEED),--seed $(SEED)) $(PLACE) $(ARGS)

sweep: $(VENV)/.installed  ## many runs: SWEEP=figure-2 or a file; SEEDS= WORKERS= EXECUTOR= ADDRESS= ARGS=
	@$(QHN) sweep $(SWEEP) $(MANY) $(PLACE) $(ARGS)

search: $(VENV)/.installed-search  ## the best of many runs for the fewest shots: STUDY=depth or a file; WORKERS= EXECUTOR= ADDRESS= ARGS=
	@$(QHN) search $(STUDY) $(POOL) $(PLACE) $(ARGS)

qsgd: $(VENV)/.installed-qsgd  ## gradient descent by a quantum linear solver: DESCENT=three-qubits, a .toml file or a table; LABEL= KEEP= SEGMENTS= STEPS= ORDER= SOLVER= SHOTS= BACKEND= SEED= ARGS=--estimate
	@$(QHN) qsgd $(DESCENT) $(if $(LABEL),--label '$(LABEL)') $(if $(KEEP),--keep $(KEEP)) $(if $(SEGMENTS),--segments $(SEGMENTS)) $(LENGTH) \
		$(if $(ORDER),--order $(ORDER)) $(if $(SOLVER),--solver $(SOLVER)) $(if $(SHOTS),--shots $(SHOTS)) $(if $(BACKEND),--backend $(BACKEND)) \
		$(if $(SEED),--seed $(SEED)) $(if $(YES),--yes) $(if $(DETACH),--detach) $(PLACE) $(ARGS)

compare: $(VENV)/.installed  ## runs side by side, or one on a device beside its twin: RUNS="run run"
	@$(QHN) compare $(RUNS) $(PLACE)

reproduce: $(VENV)/.installed $(if $(filter prediction,$(FIG)),$(VENV)/.installed-prediction) $(if $(filter qsgd,$(FIG)),$(VENV)/.installed-qsgd)  ## the paper's experiments and a report on them: FIG=2 (or 3 4 ... frugal look-ahead prediction qsgd) MNIST= SEEDS= WORKERS= EXECUTOR= ADDRESS=
	@$(QHN) reproduce $(FIG) $(if $(MNIST),--mnist $(MNIST)) $(MANY) $(PLACE) $(ARGS)

test: lint  ## lint, types, and tests with warnings as errors, but for the slow ones; CI runs this and test-slow
	@$(PYTEST) $(FAST)

test-slow: $(VENV)/.installed-slow  ## the slow tests: whole parts of the paper drawn, dask and MPI, more rounds of chaos
	@$(PYTEST) -m slow

# Amazon's SDK takes no cloudpickle but 2.2.1, which neither constraints.txt nor dask allows
$(BRAKET)/.installed: pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@echo "installing into $(BRAKET) (once, about a minute)"
	@$(PYTHON) -m venv --clear $(BRAKET)
	@grep -v '^cloudpickle==' constraints.txt > $(BRAKET)/constraints.txt
	@$(BRAKET)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(BRAKET)/constraints.txt --editable '.[braket]' pytest
	@touch $@

test-braket: $(BRAKET)/.installed  ## the tests of Amazon Braket's local simulators, in an environment of their own, .venv-braket; CI runs this too
	@OMP_NUM_THREADS=1 $(BRAKET)/bin/python -m pytest tests/amazon

# made anew each time: packages are released every day. The second step builds with the lower bound of the build's own
test-oldest: VENV := .venv-oldest
test-oldest:  ## the tests with the lower bounds of pyproject.toml, all extras at once, in .venv-oldest; TESTS='-m slow' others; needs the network
	@$(CHECK_PYTHON)
	@echo "installing the lower bounds of all requirements into $(VENV) (two minutes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PYTHON) $(VERSIONS) bounds > $(VENV)/bounds.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(VENV)/bounds.txt hatchling editables
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(VENV)/bounds.txt --editable ".[$$($(PYTHON) $(VERSIONS) extras)]"
	@$(BIN)/python $(VERSIONS) installed
	@$(PYTEST) $(or $(TESTS),$(FAST))

test-newest: VENV := .venv-newest
test-newest:  ## the tests with the newest releases of all requirements, all extras at once, in .venv-newest; TESTS='-m slow' others; needs the network
	@$(CHECK_PYTHON)
	@echo "installing the newest releases of all requirements into $(VENV) (two minutes)"
	@$(PYTHON) -m venv --clear --upgrade-deps $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable ".[$$($(PYTHON) $(VERSIONS) extras)]"
	@$(BIN)/python $(VERSIONS) installed
	@echo "not the newest, since another package does not take it:"
	@$(BIN)/python -m pip list --outdated
	@$(PYTEST) $(or $(TESTS),$(FAST))

lint: $(VENV)/.installed-dev  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.installed-bench  ## measure speed against peers in the same run, about ten minutes
	@$(BIN)/python -m tests.bench

bench-errors: $(VENV)/.installed-dev  ## measure how often the stated errors and intervals hold the exact values
	@PYTHONPATH=tests $(BIN)/python -m tests.bench.errors

bench-tables: $(VENV)/.installed-dev  ## measure how the defaults for tables classify small ones, beside logistic regression
	@PYTHONPATH=tests $(BIN)/python -m tests.bench.tables

chaos: $(VENV)/.installed  ## runs on a stand-in of the IBM service that are killed and cut off at random: ROUNDS= SEED=
	@$(BIN)/python -m tests.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

mutants: $(VENV)/.installed-dev  ## whether tests notice small changes of the code: PACKAGE= LIMIT= SEED=
	@$(BIN)/python -m tests.mutants $(if $(PACKAGE),--package $(PACKAGE)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(SEED),--seed $(SEED))

clean:  ## remove caches and the environments; runs in results/ stay
	@rm -rf $(VENV) $(BRAKET) .venv-oldest .venv-newest .pytest_cache .mypy_cache .ruff_cache dist
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
