# make run      the gateway and a mock model server, until Ctrl-C
# make test     every check and every test
# make test-real   tiny real models, llama.cpp, Open WebUI, which `make test` does not install
# make format   what ruff can put right by itself
# make hotpath  what a token costs in the core, against the recorded figures (needs valgrind)
# make bench    what streaming costs, beside nginx if installed and LiteLLM if asked (WITH=litellm)
# make sdks     the clients that tests/sdk runs beside those of requirements-dev.txt
# make docs     the parts of docs/ that are made from the code
# make screenshots   the README's pictures of the page, from the running page

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REAL := .venv-real
WEBUI := .venv-webui

.PHONY: run test test-real check format hotpath bench docs screenshots sdks clean

run: $(VENV)/.run
	@PYTHONPATH=. $(BIN)/python scripts/run.py

# Tests that look at the clock have the machine for themselves. The longest files come first, so that
# both processes end at the same time.
PATIENT := $(patsubst %,tests/live/test_%.py,faults openapi written_summaries upstreams keys \
	kept_connections phases token_by_token client_program client_terminal metrics reload make_run \
	readme container mock_upstream)
HASTY := tests/page/test_page_speed.py

test: check sdks
	$(BIN)/pytest -n 2 --dist loadfile $(PATIENT) $(filter-out tests/live/ tests/__pycache__/,$(wildcard tests/*/)) --ignore=$(HASTY)
	$(BIN)/pytest tests/live $(HASTY) $(addprefix --ignore=,$(PATIENT))

test-real:
	test -x $(REAL)/bin/python || $(PYTHON) -m venv $(REAL)
	$(REAL)/bin/pip install --quiet --disable-pip-version-check -r requirements-real.txt
	test -x $(WEBUI)/bin/python || $(PYTHON) -m venv $(WEBUI)
	$(WEBUI)/bin/pip install --quiet --disable-pip-version-check -r requirements-webui.txt
	OPEN_WEBUI=$(abspath $(WEBUI))/bin/open-webui $(REAL)/bin/pytest tests/real

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-logo

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.run
	$(BIN)/python benchmarks/streams/bench.py --with "$(WITH)"

hotpath: $(VENV)/.run
	$(BIN)/python benchmarks/hotpath.py --check

docs: $(VENV)/.run
	PYTHONPATH=. $(BIN)/python scripts/write_docs.py

screenshots: $(VENV)/.dev
	PYTHONPATH=. $(BIN)/python scripts/screenshots.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

NODE_PACKAGES := tests/sdk/node/node_modules/.installed

sdks: $(VENV)/sdk-old $(NODE_PACKAGES)

$(VENV)/sdk-old: tests/sdk/requirements-old.txt | $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --no-warn-conflicts --upgrade --target $@ -r $<
	@touch $@

$(NODE_PACKAGES): tests/sdk/node/package-lock.json | $(VENV)/.dev
	cd tests/sdk/node && $(abspath $(BIN))/npm ci --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf $(VENV) $(REAL) $(WEBUI) tests/sdk/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
