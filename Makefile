# Everything a developer runs. `make` alone lists the targets.

VENV := .venv
PY := $(VENV)/bin/python
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
IMAGE_PROOF_DIR ?= $(shell pwd)/build/image-proof
# One worker for each core, and not for each core of a large machine: some start a control plane. Tests of e2e wait more
# than they work.
WORKERS ?= auto --maxprocesses 4
E2E_WORKERS ?= 4
CHART := deploy/helm/cloudflare-mtls-operator
export PYTHONPATH := operator:.
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help test lint format types contracts unit contract e2e generated generate lock controlplane demo playground \
        chaos planted crash image image-proof clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/installed: requirements/dev.txt
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@

test: lint types contracts generated unit contract e2e ## everything below, fastest first

lint: $(VENV)/installed ## ruff: lint and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/installed ## ruff: format in place
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(VENV)/installed ## mypy --strict
	$(VENV)/bin/mypy

contracts: $(VENV)/installed ## which layer may import which
	$(VENV)/bin/lint-imports

generated: $(VENV)/installed ## generated files are up to date
	$(PY) -m mtls_operator.api.crd --output deploy/crds --check
	$(PY) -m mtls_operator.api.reference --output docs/reference --check
	diff -r deploy/crds $(CHART)/files/crds
	$(PY) deploy/helm/render_readme.py | diff - $(CHART)/README.md
	$(PY) deploy/argocd/render.py | diff - deploy/argocd/argocd-cm.yaml

generate: $(VENV)/installed ## generate CRDs, reference pages, the chart's README, Argo CD's snippet
	$(PY) -m mtls_operator.api.crd --output deploy/crds
	$(PY) -m mtls_operator.api.reference --output docs/reference
	cp deploy/crds/*.yaml $(CHART)/files/crds/
	$(PY) deploy/helm/render_readme.py > $(CHART)/README.md
	$(PY) deploy/argocd/render.py > deploy/argocd/argocd-cm.yaml

unit: $(VENV)/installed ## pure and fast; domain/ at 100 % branch coverage
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest --numprocesses $(WORKERS) -m "not histories" tests/unit
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report
	$(PY) -m pytest --numprocesses $(WORKERS) -m histories tests/unit

contract: controlplane ## what we rely on: the testbed against the real SDK and the real control plane
	$(PY) -m pytest --numprocesses $(WORKERS) --dist worksteal tests/contract

e2e: controlplane ## the operator on a real API server, installed by helm
	$(PY) -m pytest --numprocesses $(E2E_WORKERS) --dist loadfile --no-loadscope-reorder tests/e2e

controlplane: $(VENV)/installed ## fetch or build the control plane (minutes, once per machine)
	$(PY) -m testbed.controlplane --fetch

demo: $(VENV)/installed ## the whole job, live: set-up, who gets through, tear-down, nothing left
	$(PY) -m testbed.demo

playground: $(VENV)/installed ## the same set-up, left running for you to play with
	$(PY) -m testbed.demo --playground

chaos: $(VENV)/installed ## random stories in virtual time: RUNS=n SEED=s
	PYTHONHASHSEED=0 $(PY) -m testbed.chaos $(or $(RUNS),300) $(if $(SEED),--seed $(SEED))

planted: $(VENV)/installed ## how many of these stories find each defect of a table: RUNS=at most SEED=s
	PYTHONHASHSEED=0 $(PY) -m testbed.chaos planted --most $(or $(RUNS),1000) $(if $(SEED),--seed $(SEED))

crash: $(VENV)/installed ## the operator killed before and after each single request, in virtual time
	PYTHONHASHSEED=0 $(PY) -m testbed.chaos crash

image: ## build the image with docker, podman or buildah
	image/build.sh

image-proof: $(VENV)/installed ## build it with buildah on a debootstrap base, and play the demo from it (root, Debian)
	IMAGE_PROOF_DIR=$(IMAGE_PROOF_DIR) image/prove.sh
	$(PY) -m testbed.demo --plain --image-root $(IMAGE_PROOF_DIR)/rootfs

lock: $(VENV)/installed ## pin and hash all dependencies anew
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --group dev -o requirements/dev.txt

clean: ## remove what was installed and cached in the checkout
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
