# An index: every recipe is one or two plain commands that can be typed by hand. ARGS passes through.
.DEFAULT_GOAL := help
.PHONY: help demo test build lint fmt doc sim loom fuzz micro bench bench-quick soak old-kernel agent dist ci packages

help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/: [^#]*##/\t/' | expand -t 14

demo:            ## all 14 steps of a launch on this machine, then stays up (ONCE=1: ends; exit code = all steps passed)
	@tests/packages.sh demo
	cargo build --release -p gate-daemon -p gate-cli && target/release/sluicectl demo --gateway target/release/sluicegate $(if $(ONCE),--once) $(ARGS)

test: packages lint ## everything that is checked before a change lands
	cargo test --workspace $(ARGS)
	$(MAKE) loom && $(MAKE) fuzz ARGS="--seconds 1" && $(MAKE) micro ARGS="--quick" && $(MAKE) bench-quick

packages:        ## the Debian packages that the tests drive as peers
	@tests/packages.sh test

build:           ## all binaries, optimised
	cargo build --release --workspace $(ARGS)

lint:            ## formatting and lints, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

fmt:             ## format the tree
	cargo fmt --all

doc:             ## API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items $(ARGS)

sim:             ## the seeded simulation, longer: SEED=7 make sim replays one
	WORLDS=$(or $(WORLDS),400) cargo test --profile sim -p sluicegate-tests --test sim -- --nocapture $(ARGS)

loom:            ## every interleaving of the wake protocol and of live numbers
	RUSTFLAGS="--cfg loom" cargo test -q -p sluice-worker -p sluice-link --test loom --release --target-dir target/loom $(ARGS)

fuzz:            ## mutate the corpora through every codec (ARGS="socks5 --seconds 60 --seed 1")
	cargo run -q --manifest-path tests/fuzz/Cargo.toml -- $(ARGS)

micro:           ## micro-benchmarks of the sans-IO crates
	cargo run -q --profile $(if $(findstring quick,$(ARGS)),dev,release) -p bench-micro -- $(ARGS)

bench:           ## against HAProxy, nginx, hitch, stunnel and tokio in one run, and logins through slapd; writes docs/performance.md
	@tests/packages.sh test
	cargo build --release -p gate-daemon -p bench-load -p bench-peer-tokio && target/release/sluice-load compare --gateway target/release/sluicegate --write docs/performance.md $(ARGS)
	target/release/sluice-load overload --gateway target/release/sluicegate --write docs/performance.md
	target/release/sluice-load overload --gateway target/release/sluicegate --key rsa2048 --write docs/performance.md
	target/release/sluice-load storm --gateway target/release/sluicegate --write docs/performance.md
	target/release/sluice-load storm --gateway target/release/sluicegate --factors radius --write docs/performance.md

bench-quick:     ## the same for a few seconds with unoptimised binaries, so that it keeps working; writes nothing
	cargo build -q -p gate-daemon -p bench-load -p bench-peer-tokio && target/debug/sluice-load compare --gateway target/debug/sluicegate --quick $(ARGS)
	target/debug/sluice-load storm --gateway target/debug/sluicegate --quick
	target/debug/sluice-load storm --gateway target/debug/sluicegate --factors radius --quick
	target/debug/sluice-load overload --gateway target/debug/sluicegate --quick
	target/debug/sluice-load soak --gateway target/debug/sluicegate --quick

soak:            ## 50,000 idle sessions, each used once, then hours of mixed ones; descriptors and memory must come back (MINUTES=60)
	cargo build --release -p gate-daemon -p bench-load && target/release/sluice-load soak --gateway target/release/sluicegate --write docs/memory.md $(ARGS)
	SLUICE_SOAK_SECONDS=$$(( $(or $(MINUTES),60) * 60 )) cargo test --release -p gate-daemon --test gateway -- soak --nocapture

old-kernel:      ## the engines, the demo and TLS in the kernel on Debian 12's own 6.1, in an emulated machine; some ten minutes
	@tests/packages.sh old-kernel
	tests/old-kernel/boot.sh

agent:           ## the endpoint agent as one static file, target/agent/sluice-epa
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile agent --target $$(rustc --print host-tuple) -p gate-agent $(ARGS)
	install -D target/$$(rustc --print host-tuple)/agent/sluice-epa target/agent/sluice-epa
	@! ldd target/agent/sluice-epa | grep '=>'

dist: agent      ## the release build: link-time optimised, one unit
	cargo build --profile dist -p gate-daemon -p gate-cli -p sluicegate-ffi

ci: test         ## what the automatic check runs
