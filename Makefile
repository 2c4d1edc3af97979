# What a contributor runs. `make test` is the whole of it; `make check` is the quick loop without containers.

CARGO ?= cargo
TESTBED := tests/testbed/testbed
# The tests that need real databases, containers, a registry and images. They are ignored in plain `cargo test`.
REAL := --test contact --test databases --test containers --test images --test local --test leap

# How many damaged texts `make fuzz` reads, and from which seed.
FUZZ_INPUTS ?= 10000000
FUZZ_SEED ?= 514847241

.PHONY: all build release check format lint quick test fresh fuzz schedules real bench bench-lint bench-plan bench-resume bench-restore bench-trip torture testbed testbed-down tested truth schemas deb deb-check clean

all: build

build:
	$(CARGO) build --locked

release:
	$(CARGO) build --locked --release

## The quick loop: formatting, lints, unit, property, golden and command line tests. No containers.
check: format lint quick

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings

quick:
	$(CARGO) test --locked

## Ten million damaged outputs, journals, names, documents and configurations through whatever reads them; minutes on one core.
## Only leapfrog itself is optimized for it, with its checks for overflow on.
fuzz:
	CARGO_PROFILE_DEV_OPT_LEVEL=3 LEAPFROG_FUZZ_INPUTS=$(FUZZ_INPUTS) LEAPFROG_FUZZ_SEED=$(FUZZ_SEED) \
		$(CARGO) test --locked --test fuzz -- --nocapture

## A whole leap of seven services that dies first at every record and every launch, stop and removal, each in three
## ways; minutes on one core.
schedules:
	LEAPFROG_SCHEDULES=all $(CARGO) test --locked --test conductor schedules -- --nocapture

## Everything: the quick loop, then the real leap on the test bed.
test: check real

real: testbed
	$(CARGO) test --locked $(REAL) -- --ignored --test-threads 2
	tests/torture/torture --short

## The README's first two commands on a machine that has nothing yet: a container of Debian 12 with Rust and Python 3. FRESH=demo
## or FRESH=test for one of them.
fresh:
	tests/fresh/fresh $(FRESH)

## A whole leap, timed: leapfrog, a shell loop and an Ansible playbook of the same commands. Not part of `test`: it
## takes a quarter of an hour, and says little while anything else works on the machine.
bench: release testbed
	tests/bench/bench $(BENCH)

## How long it takes until a run with 2,000 finished steps works again.
bench-resume:
	$(CARGO) bench --locked --bench resume

## How long a plan takes from Train to 2026.2 for fourteen services and 500 cells, how long one from 2023.1 to 2024.2 for
## seven services, and how much memory; fails above 200 ms, 30 ms or 64 MB.
bench-plan:
	$(CARGO) bench --locked --bench planning

## How long it takes to lint 2023.1 to 2026.2 of fourteen services once their images were read, and how much memory;
## fails above 1 s or 128 MB.
bench-lint: release testbed
	tests/bench/lint $(BENCH)

## A restore point of a database of 1 GB: how long dump and proof take, the way back, and how much memory leapfrog needs.
bench-restore: release testbed
	tests/bench/restore $(BENCH)

## How fast `leapfrog trip` touches 2,000,000 rows, against one UPDATE and a loop by hand, and what a writer notices; some forty
## minutes. Servers of its own; MySQL where LEAPFROG_MYSQLD names one (tests/testbed/mysql).
bench-trip:
	$(CARGO) bench --locked --bench trip

## Kills leapfrog, MariaDB, the Docker daemon and containers in the middle of leaps, a hundred times, and compares the
## databases; then goes back after every one of four releases. Not part of `test`, which has a short form: it takes more than an hour.
torture: build testbed
	tests/torture/torture $(TORTURE)
	LEAPFROG_BACK=all $(CARGO) test --locked --test leap -- --ignored back::

## Real images, registries and databases, on this machine. Built once, then only looked at.
testbed:
	$(TESTBED) up

## Takes what the real leaps of the last `make test` ran into tests/tested/results.jsonl and docs/tested.md; look at the
## changes before you commit them.
tested:
	LEAPFROG_UPDATE=1 $(CARGO) test --locked --test tested

## What fourteen services' migrations run on a real server from 2023.1 to 2026.2, held against what the lint says of them,
## into tests/local/truth/lines.jsonl and docs/lint-coverage.md, and what is read of every script into tests/local/truth/read.txt; minutes. Look at the changes before you commit them.
truth: testbed
	LEAPFROG_TRUTH=all LEAPFROG_UPDATE=1 $(CARGO) test --locked --test local truth -- --include-ignored --test-threads 1

testbed-down:
	$(TESTBED) down

## Writes the JSON Schemas anew; look at the changes before you commit them.
schemas:
	LEAPFROG_UPDATE=1 $(CARGO) test --locked --test schemas

## A Debian package of a release build, in target/debian: the program, man pages, completions, documents, a unit.
deb: release
	packaging/deb

## Installs that package into a directory of its own and looks at everything in it.
deb-check: release
	packaging/check "$$(packaging/deb)"

clean:
	$(CARGO) clean
