# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TESTS  ?=

.DEFAULT_GOAL := help
.PHONY: help venv demo run test lint format bench faults sdk kafka-up kafka-down lock schemas dashboards chart chart-test clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Moderato needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt -r requirements/run.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

venv: $(VENV)/.run ## make .venv with the `moderato` command in it

demo: $(VENV)/.run ## the whole pipeline with simulated vendors, on the embedded broker
	$(BIN)/moderato demo $(ARGS)

run: $(VENV)/.run ## every role in one process, staying up, for real vendors
	$(BIN)/moderato run all $(ARGS)

lint: $(VENV)/.test ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint ## lint, then every test with branch coverage (TESTS=path for a part, without the coverage floor)
ifeq ($(TESTS),)
	$(BIN)/python -m pytest --cov --cov-report=term -q
else
	$(BIN)/python -m pytest -q $(TESTS)
endif

bench: $(VENV)/.test ## requests and records per second, CPU per 100,000 (KAFKA_BOOTSTRAP=host:port adds a real broker)
	$(BIN)/python -m tests.bench $(ARGS)

faults: $(VENV)/.test ## faults on real processes and brokers (RUNS=n SEED=s BROKERS=1|3; Java 17, Maven, root)
	$(BIN)/python -m tests.faults $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) $(if $(BROKERS),--brokers $(BROKERS)) $(ARGS)

sdk: $(VENV)/.test ## the vendors' own client libraries (Agora, iFlytek) against the simulated vendors
	test -x $(VENV)/sdk/bin/python || $(PYTHON) -m venv $(VENV)/sdk
	$(VENV)/sdk/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/sdk.txt
	$(BIN)/python -m tests.sdk $(VENV)/sdk/bin/python

kafka-up: $(VENV)/.run ## start one real Kafka broker that stays (Java 17, Maven), and print its KAFKA_BOOTSTRAP
	@$(BIN)/python -m tests.kafka up

kafka-down: $(VENV)/.run ## end that broker and remove its data
	@$(BIN)/python -m tests.kafka down

schemas: $(VENV)/.run ## write docs/schemas and docs/asyncapi.json from the record types
	$(BIN)/moderato schema --write docs

dashboards: $(VENV)/.test ## write deploy/grafana/dashboards from the code beside them
	$(BIN)/python -m deploy.grafana

chart: $(VENV)/.test ## write what the Helm chart takes from elsewhere
	$(BIN)/python -m helm.generate

chart-test: $(VENV)/.test ## lint, unit-test and render the chart with helm (built by Go when it is not there)
	$(BIN)/python -m tests.helm

lock: $(VENV)/.test ## resolve requirements/*.in again (needs `uv`)
	for f in build run tracing test dev sdk; do uv pip compile -q --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/$$f.in -o requirements/$$f.txt || exit 1; done

clean: ## remove everything that can be made again
	rm -rf $(VENV) .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
