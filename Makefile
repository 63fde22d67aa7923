# Everything happens in .venv, from lock files with hashes. `make demo` and `make test` are the two commands to know.
#
# There are three lock files with the same versions in them, and one each for two servers and for TPC-H (tools/lock.sh): installing every extra takes 1.1 GB and minutes, the
# demo needs half of the packages and under a minute, so each target brings in only what it uses. Pip refuses anything that is not pinned there.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
NODE   := $(patsubst %/package-lock.json,%/node_modules/.package-lock.json,$(wildcard tests/servers/*/package-lock.json))
SERVERS := .venv-fakesnow/.made .venv-secantus/.made .venv-tpch/.made
CHROMIUM := tests/attacks/test_a25_in_chromium.py
# For two cores: many tests wait for a server now and then, so three at a time; with a browser each keeps a core busy.
WORKERS  ?= 3
BROWSERS ?= 2
RULES    := tests/access tests/test_user.py tests/test_rules_config.py tests/test_cli_rules.py tests/connections/test_rules.py tests/connections/test_rules_in_sql.py

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_update_notifier := false

# Node trusts the authorities that it was built with; a company's own stand in the system's list.
SYSTEM_CA := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
ifneq ($(SYSTEM_CA),)
export NODE_EXTRA_CA_CERTS ?= $(SYSTEM_CA)
endif

.DEFAULT_GOAL := help
.PHONY: environments help demo demo-snowflake test check fuzz oracle mutants coverage soak bench cases fresh lock clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | while IFS='|' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

demo: $(VENV)/.demo  ## run the example dashboard with a development identity provider: http://localhost:8501
	@echo "• starting the example dashboard: http://localhost:8501 (Ctrl+C ends it)"
	@$(BIN)/st-auth run examples/dashboard/app.py $(ARGS)

demo-snowflake: $(VENV)/.test .venv-fakesnow/.made  ## the demo with a Snowflake page: a provider, fakesnow and a gateway that checks tokens, all here
	@echo "• starting the dashboard with a Snowflake page: http://localhost:8501 (Ctrl+C ends it)"
	@$(BIN)/python tools/demo_snowflake.py $(ARGS)

test: environments $(NODE)  ## everything the tests need, then all tests
	@echo "• running all tests: those without a browser first, as Playwright keeps an event loop running in its process"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --ignore=tests/browser --ignore=$(CHROMIUM) $(ARGS)
	@$(BIN)/python -m pytest -q -n $(BROWSERS) --dist worksteal tests/browser $(CHROMIUM) $(ARGS)

check: $(VENV)/.test  ## the fast loop: ruff, types, unit tests (no browser, no flows, no attacks, no databases)
	@echo "• ruff"
	@$(BIN)/ruff check --quiet .
	@echo "• mypy --strict"
	@$(BIN)/mypy --strict
	@echo "• unit tests"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --ignore=tests/browser --ignore=tests/flows --ignore=tests/attacks --ignore=tests/connections --ignore=tests/oracle $(ARGS)

fuzz: $(VENV)/.test  ## change a provider's valid answers 100 000 times: ARGS="--cases 5000 --seed 1" for others
	@$(BIN)/python -m tests.fuzz $(ARGS)

oracle: $(VENV)/.test .venv-tpch/.made  ## 5 000 generated statements and TPC-H's 22, under the rules and over tables that are filtered by hand: the same answers?
	@ST_AUTH_ORACLE=$${ST_AUTH_ORACLE:-5000} $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal tests/oracle $(ARGS)

mutants: $(VENV)/.test  ## change the code that judges answers and rules, one small thing at a time: do its tests notice? ARGS="jwks tokens" for some modules
	@$(BIN)/python tools/mutants.py $(ARGS)

coverage: $(VENV)/.test  ## the rules of who may see what: does a test pass each line and each branch?
	@$(BIN)/python -m coverage run --source=st_auth/access -m pytest -q -n 0 $(RULES) $(ARGS)
	@$(BIN)/python -m coverage report --show-missing --fail-under=100

soak: $(VENV)/.test $(SERVERS)  ## the connection contract with a million checks over all kinds, and a minute of tokens that live five seconds
	@ST_AUTH_SOAK=$${ST_AUTH_SOAK:-1000000} $(BIN)/python -m pytest -q -n 2 tests/connections tests/flows/test_connections.py -k "never_cross or tokens_live" $(ARGS)

bench: $(VENV)/.test $(NODE) $(SERVERS)  ## measure side by side; ROWS="gate_warm login" for some
	@$(BIN)/python -m bench $(ROWS)

cases: $(VENV)/.test $(NODE) $(SERVERS)  ## each attack with its defence, and without it
	@$(BIN)/python -m tests.cases $(ARGS)

fresh:  ## demo and test from a fresh clone as a new system user (root)
	@tools/fresh.sh

lock:  ## write the lock files anew (needs uv)
	@PATH="$(abspath $(BIN)):$$PATH" tools/lock.sh

clean:  ## take .venv and node_modules away
	rm -rf $(VENV) .venv-fakesnow .venv-secantus .venv-tpch tests/servers/*/node_modules

# requirements-test.lock is requirements-demo.lock and more, so either may come first.
$(VENV)/.demo: requirements-demo.lock pyproject.toml
	@if [ ! -e $(VENV)/.test ] || [ -n "$$(find requirements-demo.lock pyproject.toml -newer $(VENV)/.test)" ]; then tools/venv.sh $(PYTHON) $(VENV) $<; fi
	@touch $@

# Four environments at once: pip waits for the network and for the disk.
environments:
	@$(MAKE) --no-print-directory -j 4 $(VENV)/.test $(SERVERS)

$(VENV)/.test: requirements-test.lock pyproject.toml
	@tools/venv.sh $(PYTHON) $(VENV) $<
	@touch $@

# fakesnow stands for Snowflake in the tests; it wants the older driver, and what both majors are tested with is there too. SecantusDB stands
# for MongoDB, and is under the GPL: a server in a process of its own, which nothing of ours imports. TPC-H's extension wants the one version of
# DuckDB that it was made for.
.venv-fakesnow/.made: tests/servers/snowflake/requirements.lock
.venv-secantus/.made: tests/servers/mongodb/requirements.lock
.venv-tpch/.made: tests/servers/tpch/requirements.lock
$(SERVERS):
	@echo "• making an environment of the tests' own in $(@D)"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --no-compile --require-hashes --requirement $<
	@touch $@

$(NODE): %/node_modules/.package-lock.json: %/package-lock.json
	@tools/system.sh
	@echo "• installing $* (npm ci)"
	@npm ci --prefix $* --no-audit --no-fund --loglevel=error
	@touch $@
