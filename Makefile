# The commands of the project. Each works on a fresh machine that has Python 3.11 to 3.13 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE_CLIENTS := tests/contract/node
# Programs and packages that `make clients` drives, in a folder each.
CLIENTS := .clients
# Tools that import the settings but serve nothing get a key that signs nothing.
TOOL_ENV := SECRET_KEY=only-for-checks-and-tests-which-sign-nothing HTTPS=off

.PHONY: run test test-core drills lint bench audit screenshots tools clients programs conformity clean

run: $(VENV)/.installed
	@$(BIN)/python -m proxysite.run

# With bytecode: pytest caches the tests as it has rewritten them, which takes each of the four
# processes 10 s of CPU.
test: $(VENV)/.installed-dev $(NODE_CLIENTS)/node_modules/.package-lock.json
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# The core of the tests on another Python, in an environment of its own: PYTHON_CORE=python3.13.
CORE_TESTS := tests/openai_api/chat_completions/test_chat.py tests/openai_api/chat_completions/test_chat_streams.py \
	tests/openai_api/test_bad_requests.py tests/openai_api/test_hanging_up.py tests/workers_ai/http tests/keys/ledger \
	tests/keys/limits/test_counters.py tests/keys/limits/test_admission.py tests/proxysite/http tests/proxysite/test_hot_path.py \
	tests/catalog/refresh tests/test_settings.py

test-core: .core/.installed
	@.core/bin/python -m pytest -n 3 --dist loadfile $(CORE_TESTS)

.core/.installed: requirements.txt requirements-dev.txt
	@test -x .core/bin/python || $(PYTHON_CORE) -m venv .core
	@echo "Installing what the core of the tests needs into .core, on $(PYTHON_CORE) …"
	@grep -E '^(pytest|hypothesis|zstandard|certifi|jsonschema|openai)[a-z-]*==' requirements-dev.txt > .core/tests.txt
	@.core/bin/python -m pip install -qq --disable-pip-version-check -r requirements.txt -r .core/tests.txt
	@touch $@

# What takes minutes: half a minute of each hostile client beside an honest one. ARGS="-k flood" for one.
drills: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -m drill tests/drills $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(TOOL_ENV) $(BIN)/mypy
	@$(TOOL_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

# Coding agents and SDKs, unmodified and at pinned versions, against a gateway: each does a round of
# reading, editing and answering. What cannot be installed is skipped and says so. PROGRAMS= takes
# what is installed.
PROGRAMS ?= programs
clients: $(VENV)/.installed-dev $(PROGRAMS)
	@$(BIN)/python -m pytest tests/clients -m clients -n 3 $(ARGS)

# schemathesis tries what /v1/openapi.json and /api/schema/ describe, for half a minute each.
conformity: $(VENV)/.installed-dev tools
	@$(BIN)/python -m pytest tests/conformity -m conformity $(ARGS)

# QUICK=1: one short round, under 3 minutes, large peers only where they are installed already.
# GROWTH=1: how the gateway's own cost grows. Needs Linux and two cores. ARGS='--only NAME[,…]'
# measures some servers alone, and leaves the page as it is.
bench: $(VENV)/.installed
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(ARGS)

# Every page, wide and narrow, light and dark, into var/screenshots. Needs Chromium.
screenshots: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

# Caddy, Traefik, docker compose and what else tests of deployment files drive.
tools: .tools/.installed

# Side by side, as most of it is waiting for registries.
programs:
	@$(MAKE) --no-print-directory -j4 $(CLIENTS)/node/.installed $(CLIENTS)/aider/.installed $(CLIENTS)/sdks/.installed $(CLIENTS)/vibe/.installed

$(CLIENTS)/node/.installed: tests/clients/node/package.json
	@command -v npm >/dev/null || { echo "No npm: the programs of Node are skipped."; exit 0; }; \
	echo "Installing the programs of Node into $(CLIENTS)/node …"; \
	mkdir -p $(@D) && cp tests/clients/node/package.json tests/clients/node/.npmrc $(@D) && \
	(cd $(@D) && npm install --silent) && touch $@ || echo "npm failed: the programs of Node are skipped."

# Vibe needs Python 3.12, the others take what the gateway takes.
$(CLIENTS)/vibe/.installed: PROGRAMS_PYTHON = $(firstword $(foreach name,$(PYTHON) python3.13 python3.12,$(shell $(name) -c 'import sys; sys.version_info >= (3, 12) and print("$(name)")' 2>/dev/null)) $(PYTHON))
$(CLIENTS)/%/.installed: tests/clients/%.txt
	@echo "Installing $* into $(@D) …"; \
	$(or $(PROGRAMS_PYTHON),$(PYTHON)) -m venv --clear $(@D) && \
	$(@D)/bin/python -m pip install -qq --disable-pip-version-check -r $< 2>$(@D)/pip.log && touch $@ || \
	echo "$* cannot be installed here ($$(tail -1 $(@D)/pip.log)): its tests are skipped."

audit: .tools/.installed
	@.tools/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip --progress-spinner off --timeout 5 --format json 2>/dev/null | .ci/audit

clean:
	rm -rf $(VENV) .core .tools $(CLIENTS) $(NODE_CLIENTS)/node_modules bench/.cache

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed, %s is %d.%d: set PYTHON=…" % (sys.executable, *v))'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the gateway needs into $(VENV) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.tools/.installed: requirements-ci.txt
	@test -x .tools/bin/python || $(PYTHON) -m venv .tools
	@echo "Installing the programs of the deployment tests into .tools …"
	@.tools/bin/python -m pip install -qq --disable-pip-version-check -r requirements-ci.txt
	@touch $@

# Clients that the contract tests drive. Without them those tests are skipped and say why.
$(NODE_CLIENTS)/node_modules/.package-lock.json: $(NODE_CLIENTS)/package-lock.json
	@command -v npm >/dev/null || { echo "No npm: the tests with Node's clients are skipped."; exit 0; }; \
	echo "Installing Node's clients for the contract tests …"; \
	(cd $(NODE_CLIENTS) && npm ci --silent) && touch $@ || echo "npm failed: their tests are skipped."
