# What is built and run. Every target may be called again at any time; the second time is quick.
#
#   make demo         train on real digits, from a fresh clone
#   make test         everything that a submission must pass
#   make build        the program and its engine library, target/release/
#   make conformance  every operator and module of torch's own databases beside Python's
#   make test-browser  the notebooks in JupyterLab in a Chromium; UPDATE_PICTURES=1 draws those of docs/ anew
#   make bench        this program beside Python
#   make wheel        what pip installs, dist/flambeau-*.whl
#   make cuda-bundle  a folder that runs on another machine, dist/flambeau-cuda/
#   make clean        remove what was built; .venv stays

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build
.PHONY: demo test test-browser build conformance bench cuda-bundle clean environment tools

CARGO ?= cargo
export CARGO
# .cargo/config.toml says where libtorch is; nobody else's shall be built against.
unexport LIBTORCH LIBTORCH_LIB LIBTORCH_INCLUDE LIBTORCH_USE_PYTORCH
# What is built lies where the recipes look for it.
unexport CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET

tools:
	@.ci/tools >/dev/null

environment: tools
	@.ci/environment

build: environment
	@$(CARGO) build --release --workspace

demo: build
	target/release/flambeau run notebooks/digits.rhai

# One profile for all: libtorch's wrapper is compiled once.
test: build
	@.ci/test

test-browser: build
	@.ci/browser

conformance: build
	@.venv/bin/python tests/oracle/database/main.py

bench: build
	@.ci/bench
	@.venv/bin/python bench/bench.py

wheel: build
	@.ci/wheel

cuda-bundle: build
	@.ci/cuda-bundle

clean:
	rm -rf target dist tests/browser/node_modules
