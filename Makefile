# Everything a newcomer needs: `make demo` to see it, `make test` to trust it, `make help` for the rest.
#
# One profile (release) and one selection of packages (the workspace) serve running, testing, linting
# and measuring, so that RocksDB, twelve minutes on two cores, compiles once.

# The build stands outside the checkout: it survives a fresh clone and `git clean`.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/ocsprey/target
export PATH := $(PATH):$(HOME)/.cargo/bin:$(HOME)/.cache/ocsprey/tools/bin

OCSPREY  := $(CARGO_TARGET_DIR)/release/ocsprey
DEMO_DIR ?= demo
CARDS    ?=
WORKSPACE := --release --workspace --locked

.DEFAULT_GOAL := help
.PHONY: help demo build test conformance bench instructions soak interop fuzz package container fmt lint deny clean-demo tools tools-bench tools-interop

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Makes a national-ID style PKI in ./demo and serves it (CARDS=1000000 for a big one)
	$(OCSPREY) demo --dir $(DEMO_DIR) $(if $(CARDS),--cards $(CARDS))

build: tools ## Builds the responder and the load generator
	cargo build $(WORKSPACE)

test: tools ## Runs every test, with openssl and GnuTLS among the judges
	cargo test $(WORKSPACE)

conformance: tools ## Checks the conformance ledger, lists new tests in it, and writes tests/conformance/LEDGER.md
	OCSPREY_WRITE_LEDGER=1 cargo test $(WORKSPACE) --test conformance ledger
	cargo test $(WORKSPACE) --test conformance

bench: tools-bench ## Measures each stage and whole answers beside a bare HTTP server, Go and openssl; renews README.md's table (CARDS=, MANY=, ROUNDS=)
	cargo bench --workspace --locked
	cargo build $(WORKSPACE) --bins --examples
	loadtest/peers/run --target $(CARGO_TARGET_DIR) --cards $(or $(CARDS),1000000) --many $(or $(MANY),10000000) --rounds $(or $(ROUNDS),5) --readme README.md

instructions: tools-bench ## Counts a request's instructions under valgrind and holds them against the baseline (UPDATE=1 renews it)
	benches/support/instructions.py $(if $(UPDATE),--update)

soak: tools ## Measures CRLs at the scale of a nation, 20 GB in /tmp for an hour (PARTS=day,tail or ENTRIES=1000000 for less); kills large loads
	cargo build $(WORKSPACE) --bins --example soak
	OCSPREY_TEST_ROWS=1000000 cargo test --release --locked --lib store::tests::crash
	tests/soak/run --ocsprey $(OCSPREY) --soak $(CARGO_TARGET_DIR)/release/examples/soak --load $(CARGO_TARGET_DIR)/release/ocsprey-load \
		$(if $(ENTRIES),--entries $(ENTRIES)) $(if $(PARTS),--parts $(PARTS)) $(if $(OVERLOAD),--overload $(OVERLOAD))

interop: build tools-interop ## Lets ten clients, three web servers and pkilint judge every kind of answer, and Kubernetes' schemas the manifests; writes tests/interop/MATRIX.md
	tests/interop/manifests
	python3 tests/interop/run --ocsprey $(OCSPREY) --matrix tests/interop/MATRIX.md

fuzz: tools ## Fuzzes each parser for SECONDS (600), then the state of CRLs and a million mutations over HTTP
	tests/fuzz/run --seconds $(or $(SECONDS),600)
	PROPTEST_CASES=$(or $(CASES),5000) cargo test --release --locked --test algebra
	PROPTEST_CASES=$(or $(CASES),100000) cargo test --release --locked --lib ingest::tests::signed
	OCSPREY_MUTATIONS=$(or $(MUTATIONS),1000000) cargo test --release --locked --test conformance hostile

package: build ## Makes the Debian package, installs it into a fresh Debian, and lets it answer there (as root)
	deploy/debian/build
	deploy/debian/test

container: ## Builds the Containerfile without a registry, runs it without root, and lets openssl ask it (as root; TARGET= to go on from)
	deploy/container-test $(if $(TARGET),--target $(TARGET))

fmt: ## Formats the code
	cargo fmt --all

lint: tools ## Checks the format and runs clippy; a warning is an error
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) --all-targets -- -D warnings

deny: ## Checks licences, bans and sources of what we depend on (installs cargo-deny once)
	@.ci/install-deny
	cargo deny --workspace check bans licenses sources

clean-demo: ## Deletes ./demo
	@test ! -e $(DEMO_DIR) || test -e $(DEMO_DIR)/ocsprey.toml || { echo "error: $(DEMO_DIR): not a demo folder (no ocsprey.toml in it)" >&2; exit 1; }
	rm -rf $(DEMO_DIR)

tools: ## Installs what building and testing need and this machine lacks (Debian)
	@.ci/install-tools build

tools-interop: ## Installs what `make interop` needs beyond that
	@.ci/install-tools interop

tools-bench: ## Installs what `make bench` and `make instructions` need beyond that
	@.ci/install-tools bench
