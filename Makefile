# Everything that a person does here. `make` alone prints the list.
# A fresh machine needs Python 3.11 to 3.13 and, for the tests, apt; what is missing is installed where root may.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# A test beside real processes may lose a race on a busy machine: it is run once more, and is listed as RERUN at the end.
PYTEST := $(BIN)/python -m pytest --durations=25 --reruns 1 --rerun-show-tracebacks
# What the tests run for real: a registry and its reader, a broker, an RTSP server, a browser.
DEBIAN_PACKAGES := skopeo docker-registry mosquitto mosquitto-clients openssl chromium python3-gi \
  gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good

# A cluster on this machine: containers, networks, a power switch; and images for it.
CLUSTER_PACKAGES := containerd runc containernetworking-plugins iproute2 iptables ipset conntrack socat ethtool busybox-static openssl \
  mmdebstrap buildah

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-cluster cluster-tools images chart check lint types contracts examples format schema reference figures benchmark clean setup setup-demo tools

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Set up and run the demo: train, plan and run six applications; report in build/demo/report.html
	$(BIN)/mainstream demo --directory build/demo

test: test-unit test-cluster ## Set up and pass all tests

test-unit: setup ## Pass the tests that need no cluster
	$(PYTEST)

test-cluster: setup cluster-tools ## Pass the tests on a real API server and real kubelets
	$(PYTEST) tests/cluster

cluster-tools: ## Install and build what a cluster on this machine needs (Kubernetes from its Go modules: twelve minutes, once)
	@$(MAKE) --no-print-directory tools DEBIAN_PACKAGES="$(CLUSTER_PACKAGES)"
	sh tools/cluster-tools.sh
	sh tools/chart-tools.sh > /dev/null

images: setup cluster-tools ## Build the images of operator, runner and trainer, outside of the tree
	sh tools/images.sh

chart: setup cluster-tools ## Hold the chart against Helm 4 and 3, its unit tests and a real API server
	$(BIN)/python -m pytest -q tests/cluster/test_chart.py

check: setup lint types contracts examples ## All checks beside the tests

lint: setup ## Style (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Types (mypy --strict)
	$(BIN)/mypy src trainer-image runner-image demo operator

contracts: setup ## Who may import whom (import-linter)
	$(BIN)/lint-imports

examples: setup ## The manifests in examples/ are valid
	$(BIN)/python -m pytest -q tests/house/test_examples.py

reference: setup ## Write docs/api.md, docs/reasons.md and the chart's values and CRDs anew from what they are made of
	$(BIN)/python tools/api_reference.py > docs/api.md
	$(BIN)/python -m mainstream.resources.reasons > docs/reasons.md
	$(BIN)/python tools/chart_values.py
	cp crds/*.yaml charts/mainstream/files/crds/

schema: setup ## Write docs/schedule.schema.json anew from the types
	$(BIN)/python -m mainstream.schedule > docs/schedule.schema.json

format: setup ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

figures: setup ## Draw the paper's figures again, ours beside the authors' (docs/paper-figures.md)
	$(BIN)/python benchmarks/paper_figures.py

benchmark: setup ## Run the quick benchmarks (see benchmarks/README.md for all)
	$(BIN)/python benchmarks/sharing.py
	$(BIN)/python benchmarks/training.py

setup: $(VENV)/.dev tools ## Set up everything that tests and checks need

setup-demo: $(VENV)/.demo ## Set up only what the demo needs

clean: ## Remove what the targets above made
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3 found: install Python 3.11, 3.12 or 3.13."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version): Mainstream needs Python 3.11, 3.12 or 3.13 (make PYTHON=...)."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); sh tools/apt-install.sh python3-venv && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what the demo needs (about 2 GB with TensorFlow, once) ..."
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "Installing what tests and checks need ..."
	$(PIP) --editable '.[dev]'
	@touch $@

tools:
	@for package in $(DEBIAN_PACKAGES); do \
	    dpkg-query --show --showformat='$${Status}' $$package 2> /dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	  done; test -z "$$missing" || sh tools/apt-install.sh $$missing
