# Needs python3 (3.11 or newer) and make; everything else is installed into .venv from the lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# What audits the dependencies is none of them.
PIPELINE := .venv-pipeline/.installed
PIPELINE_BIN := .venv-pipeline/bin
DOCKER ?= docker
IMAGE ?= siren-order
OVERLAY ?= cluster/kubernetes-example
# Three processes: the browser and the real system have one each, and mostly wait.
SIDE_BY_SIDE := --numprocesses=3 --no-loadscope-reorder
# pytest keeps the tests as it has rewritten them: to do so again takes 5 s in each process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-chaos test-crashes test-cluster test-image soak mutants bench bench-peers bench-growth bench-checkouts bench-databases bench-slow-disk chaos screenshots browser lint format wheel sbom audit image push deploy install lock

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Start the whole system in the foreground; Ctrl-C stops it
	@exec $(BIN)/siren up

test: $(INSTALLED) ## Run every check and every test but those of test-chaos, test-cluster and soak (11 minutes)
	@echo "style, types, import contracts; then the tests, three at a time, on a real system and a browser: about 11 minutes on 2 cores"
	@$(MAKE) --no-print-directory lint browser
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --ignore=tests/chaos --ignore=tests/cluster --ignore=tests/soak

test-fast: $(INSTALLED) ## Run the tests that need no Ray, browser or PostgreSQL (a minute)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --hypothesis-profile=fast -m "not postgres and not thorough" tests/unit

test-chaos: $(INSTALLED) ## Kill, stop, fill up and damage parts of real systems, and check their books (25 minutes)
	$(BIN)/python -m pytest tests/chaos

test-crashes: $(INSTALLED) ## Of these: everything dies at once, two systems race on one database, a backup is restored, the power fails 2,000 times (6 minutes)
	$(BIN)/python -m pytest tests/chaos/test_restart.py tests/chaos/test_two_systems.py tests/chaos/test_backup.py tests/chaos/test_power_cut.py

test-image: ## Build the image without a daemon, and run it (root, buildah, debootstrap; 5 minutes)
	tests/image/build.sh

test-cluster: $(INSTALLED) ## Three hosts on this machine, any of which dies, with figures (as root; 15 minutes)
	@$(BIN)/python -m tests.cluster.tools
	$(BIN)/python -m pytest -ra --capture=tee-sys tests/cluster

soak: $(INSTALLED) ## The long forms of what `make test` holds in short (three to four hours)
	$(BIN)/python -m pytest -ra --capture=tee-sys tests/soak

mutants: $(INSTALLED) ## Change the rules of an order in every small way: a test fails each time (8 minutes)
	$(BIN)/python -m tests.mutants

bench: $(INSTALLED) ## Load the system over HTTP and print its figures (8 minutes)
	$(BIN)/python -m tests.bench

bench-peers: $(INSTALLED) ## The same beside a no-op route, plain code and a workflow engine
	$(BIN)/python -m tests.bench.peers

bench-growth: $(INSTALLED) ## What two million orders of history and 100,000 live ones change
	$(BIN)/python -m tests.bench.growth

bench-checkouts: $(INSTALLED) ## This checkout beside another one: BESIDE=../before, installed
	$(BIN)/python -m tests.bench.checkouts $(BESIDE)

bench-databases: $(INSTALLED) ## On PostgreSQL beside the same on SQLite
	$(BIN)/python -m tests.bench.databases --connections 1,16,64,256

bench-slow-disk: $(INSTALLED) ## The same where each sync to disk takes 8 ms longer (needs cc)
	$(BIN)/python -m tests.bench.databases --connections 1,16,64,256 --orders-only --sync-ms 8

chaos: $(INSTALLED) ## `siren chaos` on a system that is thrown away: two minutes, then every order is checked
	$(BIN)/python -m tests.chaos.throw_away

screenshots: $(INSTALLED) browser ## Write a picture of every page, on phone and desktop
	$(BIN)/python -m tests.browser.screenshots

browser: $(INSTALLED) ## Install Chromium where there is none (SIREN_CHROMIUM names another)
	@$(BIN)/python -m tests.browser.chromium

lint: $(INSTALLED) ## Check style, types, who imports whom, and the workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/actionlint

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff format

wheel: $(INSTALLED) ## Build the package into dist/, as `ray up` and the image install it
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

sbom: $(PIPELINE) ## List what the system is made of, as CycloneDX, in dist/
	@mkdir -p dist
	$(PIPELINE_BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --validate \
		--output-file dist/siren-order.cdx.json cluster/locks/runtime.lock

audit: $(PIPELINE) ## Look for known vulnerabilities in all that the locks name (asks PyPI)
	$(PIPELINE_BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
		-r requirements.lock $(foreach lock,runtime build aws gcp pipeline,-r cluster/locks/$(lock).lock)

image: ## Build the image (docker, or DOCKER=podman), named IMAGE=registry.example.org/siren-order:1.0
	$(DOCKER) build --tag $(IMAGE) .

push: ## Push IMAGE=… to its registry, where `docker login` has let you in
	$(DOCKER) push $(IMAGE)

deploy: ## Put IMAGE=… on Kubernetes by OVERLAY=cluster/kubernetes-example, and wait for it (cluster/README.md)
	@image='$(IMAGE)'; name=$${image%:*}; tag=$${image##*:}; \
		test -n "$$tag" -a "$$name" != "$$image" || { echo "name a tag: IMAGE=registry.example.org/siren-order:1.0"; exit 1; }; \
		sed -i "s|newName: [^ ]*|newName: $$name|; s|newTag: .*|newTag: $$tag|" $(OVERLAY)/kustomization.yaml
	kubectl apply -k $(OVERLAY)
	kubectl -n siren-order wait rayservice/siren-order --for=condition=Ready --timeout=15m

$(PIPELINE): cluster/locks/pipeline.lock
	@$(PYTHON) -m venv $(@D)
	@$(PIPELINE_BIN)/python -m pip install --quiet --require-hashes -r $<
	@touch $@

install: $(INSTALLED) ## Install into .venv without starting anything

# pip, not uv: it comes with Python. The project's own build must not fetch anything unlocked.
$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Siren Order needs Python 3.11 or newer; set PYTHON=")'
	@echo "installing into $(VENV): the first time takes minutes"
	@# pip alone would be silent for long: a word every 4 s, for as long as this shell lives.
	@( while sleep 4 && kill -0 $$$$ 2>/dev/null; do echo "· still installing"; done ) & \
		trap "kill $$! 2>/dev/null" EXIT INT TERM; set -e; \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; \
		$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

LOCK := uv pip compile --universal --generate-hashes --no-config --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --quiet
# The rest in the same versions: what every machine of a cluster runs; what builds the package; what
# Ray's autoscaler needs on AWS and Google Cloud; what audits the dependencies.
ALIKE := --constraint requirements.lock --output-file cluster/locks

lock: ## Resolve the dependencies anew (needs uv)
	$(LOCK) pyproject.toml --group build --extra dev --upgrade --output-file requirements.lock
	$(LOCK) pyproject.toml $(ALIKE)/runtime.lock
	for group in build aws gcp pipeline; do $(LOCK) --group $$group $(ALIKE)/$$group.lock || exit; done
