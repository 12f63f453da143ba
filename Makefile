# Everything a developer runs. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pointsman

UV_VERSION := 0.13.9
# Two processes share the tests out, module by module: most of the time they wait. Not more on larger machines:
# some tests measure. In the order of collection the long ones come first, and the many small ones fill the gaps.
SIDE_BY_SIDE := --numprocesses=2 --dist=loadscope --no-loadscope-reorder
# What `generate` writes.
GENERATED := crds charts/pointsman/values.schema.json operator/src/pointsman/routing/filters/*/*.so \
    policies/*.md policies/*/*.md

.PHONY: help demo sandbox sandbox-down control-plane test test-all lint generate check-generated bench bench-autoscaler constraints clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(READY) ## serve two models behind one endpoint, ask, kill the first, ask again (DEMO_ONCE=1 ends by itself)
	@exec $(RUN)/pointsman demo

sandbox: $(READY) control-plane ## a Kubernetes cluster of processes on this machine, to try things on; "make sandbox-down" ends it
	@exec $(RUN)/python -m tests.support.cluster.sandbox up

sandbox-down: $(READY) ## end the sandbox and all that runs in it
	@exec $(RUN)/python -m tests.support.cluster.sandbox down

control-plane: $(READY) ## build the Kubernetes control plane that tests run on; once, some minutes
	@$(RUN)/python -m tests.support.cluster.build

test: $(READY) control-plane ## run the tests that fit into a coffee break
	@$(RUN)/python -m pytest $(SIDE_BY_SIDE) -m "not long" --ignore=tests/bench

test-all: $(READY) control-plane ## run every test, the long ones too
	@$(RUN)/python -m pytest $(SIDE_BY_SIDE) --ignore=tests/bench

bench: $(READY) ## measure: ratios within one run, compared with the ranges kept beside them
	@$(RUN)/python -m tests.bench

bench-autoscaler: $(READY) ## compare our scaling with that of others on recorded load; hours, to out/autoscaler/
	@$(RUN)/python -m tests.bench autoscaler_cost

lint: $(READY) ## style, types, import contracts
	@$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

generate: $(READY) ## write the files that are made from code: CRDs, the chart's schema of the fleet settings, pages about policies, the filters
	@$(RUN)/python -m pointsman.api.crd crds charts/pointsman/values.schema.json
	$(RUN)/python -m pointsman.policy policies
	$(RUN)/python -m pointsman.routing.filters operator/src/pointsman/routing/filters

check-generated: generate ## fail if a generated file differs from the committed one
	@changed=$$(git status --porcelain -- $(GENERATED))
	if [[ -n "$$changed" ]]; then
	    printf 'generated files differ from the committed ones; run "make generate" and commit:\n%s\n' "$$changed" >&2
	    git --no-pager diff -- $(GENERATED) >&2
	    exit 1
	fi
	echo "generated files are up to date"

constraints: ## resolve pyproject.toml anew into constraints.txt (exact versions, hashes)
	@mkdir -p "$(CACHE)"
	$(PYTHON) -m venv "$(CACHE)/uv-$(UV_VERSION)"
	"$(CACHE)/uv-$(UV_VERSION)/bin/pip" install --quiet "uv==$(UV_VERSION)"
	"$(CACHE)/uv-$(UV_VERSION)/bin/uv" pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
	    --generate-hashes --no-emit-index-url --no-header --no-emit-package pointsman \
	    --output-file constraints.txt pyproject.toml
	echo "constraints.txt: $$(grep -c == constraints.txt) packages"

clean: ## remove the environment and what tools left in the tree (weights and caches stay in $XDG_CACHE_HOME/pointsman)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment of this clone: the exact, hashed versions of constraints.txt, and this tree as an editable install.
# pip's own words go to a log, which is shown when it fails.
$(READY): constraints.txt pyproject.toml
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	    echo "environment: $$($(PYTHON) --version) is too old; install Python 3.11 or newer, or say make PYTHON=python3.11" >&2
	    exit 1
	fi
	log=$$(mktemp)
	ticker=
	finish() {
	    status=$$?
	    if [[ -n "$$ticker" ]]; then kill "$$ticker" 2>/dev/null || true; printf '\r\033[K'; fi
	    if (( status )); then
	        tail -n 40 "$$log" >&2
	        printf ' ✗ environment            pip could not install it, see above; "make clean" starts afresh\n' >&2
	    fi
	    rm -f "$$log"
	}
	trap finish EXIT
	SECONDS=0
	if [[ -t 1 ]]; then
	    (while true; do printf '\r … environment            %s s' "$$SECONDS"; sleep 1; done) & ticker=$$!
	else
	    echo ' … environment            installing, about a minute'
	fi
	$(PYTHON) -m venv $(VENV) >>"$$log" 2>&1
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt >>"$$log" 2>&1
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >>"$$log" 2>&1
	touch $(READY)
	if [[ -n "$$ticker" ]]; then kill "$$ticker"; ticker=; printf '\r\033[K'; fi
	printf ' ✓ environment            %s s\n' "$$SECONDS"
