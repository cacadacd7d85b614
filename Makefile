# The commands of the project. Each works on a fresh machine that has Python 3.11 to 3.13 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE_CLIENTS := tests/contract/node
# Tools that import the settings but serve nothing get a key that signs nothing.
TOOL_ENV := SECRET_KEY=only-for-checks-and-tests-which-sign-nothing HTTPS=off

.PHONY: run test lint bench audit screenshots tools clean

run: $(VENV)/.installed
	@$(BIN)/python -m proxysite.run

test: $(VENV)/.installed-dev $(NODE_CLIENTS)/node_modules/.package-lock.json
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(TOOL_ENV) $(BIN)/mypy
	@$(TOOL_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

# QUICK=1: one short round, under 3 minutes, large peers only where they are installed already.
# GROWTH=1: how the gateway's own cost grows. Needs Linux and two cores.
bench: $(VENV)/.installed
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(GROWTH),--growth) $(ARGS)

# Every page, wide and narrow, light and dark, into var/screenshots. Needs Chromium.
screenshots: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

# Caddy, Traefik, docker compose and what else tests of deployment files drive.
tools: .tools/.installed

audit: .tools/.installed
	@.tools/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip --progress-spinner off --timeout 5 --format json 2>/dev/null | .ci/audit

clean:
	rm -rf $(VENV) .tools $(NODE_CLIENTS)/node_modules bench/.cache

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
