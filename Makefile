.DEFAULT_GOAL := help
.PHONY: help build install demo demo-mnist test python-test lint fmt bench bench-peers bench-operations bench-networks bench-serving bench-peers-mpc bench-tracking conformance conformance-mlflow check-deploy check-pages check-stores fuzz readme doc

CARGO ?= cargo
BINARIES := $(or $(CARGO_TARGET_DIR),target)/release
PROGRAMS := $(or $(CARGO_INSTALL_ROOT),$(CARGO_HOME),$(HOME)/.cargo)/bin

help: ## list the targets
	@echo "usage: make TARGET"
	@echo
	@awk 'BEGIN { FS = ":[^#]*## " } /^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the hush command line and the server (release)
	$(CARGO) build --release -p hush-cli -p hush-server

install: build ## hush and hush-server into cargo's folder of programs, hushml into the current Python
	install -d $(PROGRAMS)
	install -m 755 $(BINARIES)/hush $(BINARIES)/hush-server $(PROGRAMS)
	python3 -m pip install ./python

demo: build ## encrypted breast-cancer diagnosis from end to end, and as a service
	@$(BINARIES)/hush demo

demo-mnist: build ## encrypted recognition of handwritten digits from end to end
	@$(BINARIES)/hush demo --model mnist-cryptonets
	@$(BINARIES)/hush demo --model mnist-lenet5

test: ## every test; those of the kernels and all above them under each instruction set of this machine
	@scripts/test

python-test: ## install the Python package into an environment of its own and test it there
	@scripts/python-tests

lint: ## formatting, tidy rules, clippy and documentation without warnings
	@scripts/lint

fmt: ## format the Rust sources
	$(CARGO) fmt --all

bench: ## benches of every engine operation
	$(CARGO) bench -p hush-bench

bench-peers: bench-operations bench-networks bench-serving bench-tracking ## measure everything beside peers; writes docs/benchmarks.md

bench-operations: ## the part of it beside TenSEAL and OpenFHE
	@scripts/peers/run

bench-networks: ## the part of it on networks, beside Orion; HUSH_DATA names the folder of networks and images
	@scripts/peers/run-networks

bench-serving: ## the part of it on the server under load, beside MLServer
	@scripts/peers/run-serving

bench-peers-mpc: ## multi-party computation beside SPU and CrypTen; HUSH_DATA names the folder of networks and data
	@scripts/peers/run-mpc

bench-tracking: ## the part of it on tracking, beside MLflow's own server
	@scripts/peers/run-tracking

conformance: ## foreign clients of the Open Inference Protocol against the server (installs them from the Python package index)
	$(CARGO) build --release -p hush-server -p hush-cli
	@scripts/conformance/run $(abspath $(or $(CARGO_TARGET_DIR),target))/release

check-stores: ## evaluation keys in S3 as moto plays it (installs it from the Python package index)
	$(CARGO) build --release -p hush-cli
	$(CARGO) build --release -p hush-server --features s3,gcs,azure
	@scripts/stores/run $(abspath $(or $(CARGO_TARGET_DIR),target))/release

fuzz: ## TARGET for SECONDS under libFuzzer; takes a nightly compiler and cargo-fuzz (crates/hush-fuzz lists the targets)
	@scripts/fuzz $(or $(TARGET),all) $(or $(SECONDS),60)

conformance-mlflow: ## MLflow's package against its own server and ours, on SQLite, PostgreSQL and S3 (installs it from the Python package index)
	$(CARGO) build --release -p hush-server --features s3
	@scripts/conformance/run-mlflow $(abspath $(or $(CARGO_TARGET_DIR),target))/release

check-deploy: ## the files of deploy/ against the published schemas (installs them from the Python package index)
	@scripts/deploy/run

check-pages: ## every page in headless Chromium over ten thousand made-up runs: errors, first paint, pictures
	@scripts/pages/run

readme: build ## run the commands of README.md and paste what they print
	@scripts/readme $(BINARIES)

doc: ## API documentation of every crate, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
