# Every command there is. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory

# Builds live outside the checkout, so that a fresh clone does not start from nothing.
CORRAL_CACHE ?= $(HOME)/.cache/corral
export CORRAL_CACHE
export CARGO_TARGET_DIR ?= $(CORRAL_CACHE)/cargo
export HYPOTHESIS_PROFILE ?= dev
# Tests start thousands of short commands: compiled once, each takes half the time.
export PYTHONPYCACHEPREFIX ?= $(CORRAL_CACHE)/bytecode
unexport PYTHONDONTWRITEBYTECODE
TARGET_TRIPLE := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
VENV := .venv
BIN := $(VENV)/bin
PYTHON_ROOMS := src tests tools demo bench crates/native/python
FUZZ_SECONDS ?= 30
HISTORIES ?= 682500
HISTORIES_FROM ?= 322500
HISTORIES_PYTHON ?= $(BIN)/python
DEMO_ARGS ?=
# Whichever core has nothing to do takes the next test; or, where the tests of a file share what is dear
# to make, the next file.
ON_ALL_CORES := --numprocesses auto --dist worksteal
FILES_ON_ALL_CORES := --numprocesses auto --dist loadfile
PARTS := setup lint types layers docs test-fast test-thorough test-pg test-native test-integration test-compat test-e2e fuzz deny

.DEFAULT_GOAL := help
.PHONY: always help setup system env native target demo demo-offline demo-upgrade fmt lint types layers test test-fast test-thorough test-pg test-native test-integration test-compat test-e2e fuzz deb kit bench bench-quick bench-fleet histories accept docs lock deny ci clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: system env native target ## everything the other commands need; quiet when all is there

system:
	@tools/install_system_packages

$(VENV)/.installed: requirements/dev.lock
	@echo "Installing the Python environment into $(VENV)"
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.lock
	touch $@

env: system
	@$(MAKE) --silent $(VENV)/.installed

# `corral` is put on the path by a .pth file rather than installed, so that its sources are what runs.
native: env ## build the Rust data plane into the Python environment
	@$(MAKE) --silent $(VENV)/.native

# Installing takes a while even if nothing was compiled, and most commands begin with it.
NATIVE_SOURCES = Cargo.toml Cargo.lock pyproject.toml $(shell find crates -name '*.rs' -o -name '*.toml' -o -name '*.pyi')
$(VENV)/.native: $(VENV)/.installed $(NATIVE_SOURCES) $(if $(wildcard crates/native/python/corral_native/*.so),,always)
	@source $(BIN)/activate
	maturin develop --quiet --release --manifest-path crates/native/Cargo.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Static, because it also runs in an initramfs where there is nothing to link with.
target: system ## build the failover client
	@RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --locked --release --package corral-target --target $(TARGET_TRIPLE)
	mkdir -p build
	install -s -m 755 $(CARGO_TARGET_DIR)/$(TARGET_TRIPLE)/release/corral-target build/corral-target

demo: setup ## a golden image, two servers, a guest in QEMU, one server killed: the main job in one terminal
	@$(BIN)/python -m demo $(DEMO_ARGS)

demo-offline: setup ## two computers with images of their own: the network cut, a version proven by one, a broken one going back
	@$(BIN)/python -m demo.offline $(DEMO_ARGS)

demo-upgrade: setup ## a farm upgraded under streaming devices: one server fails, all goes back, and goes again
	@$(BIN)/python -m demo.upgrade $(DEMO_ARGS)

fmt: env ## format everything
	@$(BIN)/ruff format --quiet $(PYTHON_ROOMS)
	$(BIN)/ruff check --quiet --fix $(PYTHON_ROOMS)
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml

lint: env ## formatting, ruff, clippy, spelling
	@$(BIN)/ruff format --check --quiet $(PYTHON_ROOMS)
	$(BIN)/ruff check --quiet $(PYTHON_ROOMS)
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(BIN)/typos

types: native ## mypy strict; the binding's stub against the binding
	@$(BIN)/mypy
	cd $(VENV) && bin/python -m mypy.stubtest corral_native

layers: env ## the import contracts
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache

test-fast: env ## unit and contract tests on memory and SQLite, but those that take seconds each
	@$(BIN)/python -m pytest -q $(ON_ALL_CORES) -m "not postgresql and not thorough" tests/unit tests/contract

test-thorough: env ## those that take seconds each: state machines, a kill at every act, each step of the schema, simulated upgrades
	@$(BIN)/python -m pytest -q $(ON_ALL_CORES) -m "not postgresql and thorough" tests/unit tests/contract tests/simulation

test-pg: env ## the same contract on a PostgreSQL of its own, and what only that can do
	@$(BIN)/python -m pytest -q $(FILES_ON_ALL_CORES) -m postgresql tests/unit tests/contract tests/integration

test-native: native ## every Rust test, and the binding's
	@cargo test --quiet --locked --workspace
	$(BIN)/python -m pytest -q tests/native

test-integration: native target ## a farm of real processes on loopback
	@$(BIN)/python -m pytest -q $(FILES_ON_ALL_CORES) --durations 25 -m "not postgresql" tests/integration

# Files share what they make, and the longest of them are few: each test goes where there is room.
test-compat: native target ## two releases as real processes on one database, SQLite and PostgreSQL; COMPAT_SEED="7 8" draws others
	@$(BIN)/python -m pytest -q $(ON_ALL_CORES) --durations 10 tests/compat

test-e2e: setup ## what others wrote against ours, and the demo with its guest
	@$(BIN)/python -m pytest -q tests/e2e

fuzz: system ## each fuzz target for FUZZ_SECONDS seconds
	@command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
	fuzz/run $(FUZZ_SECONDS)

deny: ## licences, sources and doubles among the Rust dependencies
	@command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
	cargo deny --log-level error check bans licenses sources

deb: native ## the engine's Debian package, in build/
	@$(BIN)/python tools/build_deb.py

kit: native target ## the farm's kit in build/, signed with KEY=FILE, with what PROMISES=FILE says of its upgrades
	@test -n "$(KEY)" || { echo "error: say KEY=FILE, the publisher's key ('corral kit key FILE' makes one)" >&2; exit 1; }
	rm -rf build/kit
	$(BIN)/python tools/farm_wheels.py build/kit --manifest build/farm.json --beside build/corral-target $(if $(PROMISES),--promises "$(PROMISES)")
	release=$$($(BIN)/python -c 'import json; print(json.load(open("build/farm.json"))["release"])')
	$(BIN)/corral kit build build/kit --manifest build/farm.json --key "$(KEY)" --output "build/farm-$$release.corral-kit"

bench: setup ## beside nbdkit and qemu-nbd in one run; writes bench/results/latest.json and the page
	@$(BIN)/python -m bench

bench-quick: setup ## one short pass of the same, kept in build/
	@$(BIN)/python -m bench --quick

bench-fleet: setup ## what 125 to 1,000 engines cost one server; writes bench/results/fleet.json and the page
	@$(BIN)/python -m bench.fleet

# Behind everything else of this session: the next idle second is as good as this one. A kernel that shares
# the cores out by sessions (sched_autogroup) still gives it as much as another session. Which Python plays
# makes no difference to a history: name a faster one, with hypothesis on its path.
histories: env ## HISTORIES random upgrades of simulated farms, seeds HISTORIES_FROM on; goes on where it was ended
	@PYTHONPATH=src:.$${PYTHONPATH:+:$$PYTHONPATH} chrt --idle 0 nice -n 19 $(HISTORIES_PYTHON) -m tests.simulation.upgrade --histories $(HISTORIES) --seed $(HISTORIES_FROM) --processes "$$(nproc)" --into bench/results/histories-$(HISTORIES_FROM).json

accept: env ## rewrite the pages and diagrams that are made from the code, to be read in review
	@mkdir -p build
	export PYTHONPATH=src
	$(BIN)/python -m corral.farm.entrypoints.http.openapi >build/openapi.json
	mv build/openapi.json docs/reference/openapi.json
	for page in tools/*_reference.py tools/state_diagrams.py; do $(BIN)/python $$page; done

docs: env ## build the documentation; a warning is an error
	@$(BIN)/mkdocs build --quiet --strict --site-dir build/site

lock: env ## lock the Python and Rust dependencies anew
	@$(BIN)/python tools/lock_requirements.py
	cargo update

test: ## sets up, then every test there is; says at the end what took how long
	@took=
	trap 'printf "\nminutes\n%s" "$$took"' EXIT
	for part in $(PARTS); do
		begun=$$SECONDS
		outcome=
		$(MAKE) $$part || outcome=failed
		seconds=$$((SECONDS - begun))
		took+=$$(printf '%4d:%02d  %s %s' $$((seconds / 60)) $$((seconds % 60)) $$part "$$outcome")$$'\n'
		test -z "$$outcome"
	done

ci: test ## what .ci/run calls

clean: ## remove what was built here; the caches outside stay
	@rm -rf build $(VENV)
