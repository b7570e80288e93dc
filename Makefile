# make run      starts the gateway and a mock model server, until Ctrl-C
# make quick    runs tests/core and tests/web without the longest, in under a minute; needs only
#               requirements.txt
# make test     runs every check and test; each part runs even if an earlier one failed
# make test-real   runs the tests with real models, llama.cpp, Open WebUI and coding agents, and
#               installs these
# make lowest   runs tests/core and tests/web on the lowest versions that requirements.txt allows
# make coverage    shows which branches of gateway/ tests/core and tests/web reach
# make format   formats the code and applies ruff's fixes
# make hotpath  compares a token's cost in the core with the recorded figures (needs valgrind)
# make bench    measures streaming, beside nginx if installed and LiteLLM on request (WITH=litellm)
# make sdks     installs the other clients for tests/sdk: old versions and npm packages
# make docs     writes the parts of docs/ that are generated from the code
# make screenshots   takes the README's pictures from the running page

PYTHON ?= python3
# Images often set it. Without bytecode each start of the gateway compiles all of its modules again.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
REAL := .venv-real
WEBUI := .venv-webui
AGENTS := .venv-agents
AIDER := .venv-aider
LOWEST := .venv-lowest

# Python compiles what is imported, when it is: pip would compile every module of every package.
PIP_INSTALL := install -qq --disable-pip-version-check --no-compile
# uv installs in a tenth of pip's time. Where it can't (no wheel of it for this machine, an index that
# only pip's configuration names), pip installs. $(1): the environment, $(2): options of both.
UV := uv>=0.9,<1
install_in = $(BIN)/uv pip install -q --python $(1)/bin/python $(2) || $(1)/bin/pip $(PIP_INSTALL) $(2)
PYTEST_REPORT := --durations=15 -rfE

.PHONY: run quick test install parallel alone test-real lowest coverage check format hotpath bench \
	docs screenshots sdks clean

run: $(VENV)/.run
	@PYTHONPATH=. $(BIN)/python scripts/run.py

# Property tests and tests of how work grows take most of the time of these two.
QUICK := tests/core tests/web -m "not hypothesis and not work"

quick: $(VENV)/.run
	$(BIN)/pytest $(QUICK) -n auto

PARTS ?= install check parallel alone

test:
	@$(PYTHON) scripts/run_parts.py $(PARTS)

install: $(VENV)/.dev sdks

# Slow files come first and the short ones of web and core last, so that all processes end at about
# the same time. pytest-xdist 3.8 would reorder files by their number of tests. On two cores there are
# four processes, because tests/live waits for half of its time.
parallel: install
	$(BIN)/pytest tests/live tests/page tests/sdk tests/deploy tests/web tests/core $(PYTEST_REPORT) \
		-m "not alone" -n 4 --dist loadfile --no-loadscope-reorder

alone: install
	$(BIN)/pytest tests/live tests/page $(PYTEST_REPORT) -m alone

# The report is sorted by coverage: the first ten files, and the total.
LEAST_COVERED := sed -n '1,12p;$$p'

coverage: $(VENV)/.dev
	$(BIN)/pytest $(QUICK) -n 2 --cov --cov-report=
	@$(BIN)/coverage report | $(LEAST_COVERED)

lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/pytest $(QUICK) $(PYTEST_REPORT) -n 2

test-real:
	test -x $(REAL)/bin/python || $(PYTHON) -m venv $(REAL)
	$(REAL)/bin/pip $(PIP_INSTALL) -r requirements-real.txt
	test -x $(WEBUI)/bin/python || $(PYTHON) -m venv $(WEBUI)
	$(WEBUI)/bin/pip $(PIP_INSTALL) -r requirements-webui.txt
	test -x $(AGENTS)/bin/python || $(PYTHON) -m venv $(AGENTS)
	$(AGENTS)/bin/pip $(PIP_INSTALL) -r requirements-agents.txt
	test -x $(AIDER)/bin/python || $(PYTHON) -m venv $(AIDER)
	$(AIDER)/bin/pip $(PIP_INSTALL) -r requirements-aider.txt
	cd tests/real/agents && $(abspath $(REAL))/bin/npm install --no-save --no-audit --no-fund --loglevel=error
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

$(VENV)/.uv: | $(VENV)/bin/python
	-$(BIN)/pip $(PIP_INSTALL) "$(UV)"
	@touch $@

$(VENV)/.run: requirements.txt | $(VENV)/.uv
	$(call install_in,$(VENV),-r requirements.txt)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(call install_in,$(VENV),-r requirements-dev.txt)
	@touch $@

$(LOWEST)/.installed: requirements.txt | $(VENV)/.uv
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	sed -nE 's/(\[.*\])?>=([^,]+),.*/==\2/p' requirements.txt > $(LOWEST)/constraints.txt
	$(call install_in,$(LOWEST),-r requirements.txt -c $(LOWEST)/constraints.txt)
	@touch $@

NODE_PACKAGES := tests/sdk/node/node_modules/.installed

sdks: $(VENV)/sdk-old $(NODE_PACKAGES)

$(VENV)/sdk-old: tests/sdk/requirements-old.txt | $(VENV)/.dev
	$(call install_in,$(VENV),--upgrade --target $@ -r $<)
	@touch $@

$(NODE_PACKAGES): tests/sdk/node/package-lock.json | $(VENV)/.dev
	cd tests/sdk/node && $(abspath $(BIN))/npm ci --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf $(VENV) $(REAL) $(WEBUI) $(AGENTS) $(AIDER) $(LOWEST) .coverage tests/sdk/node/node_modules tests/real/agents/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
