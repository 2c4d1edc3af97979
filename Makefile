# What a contributor runs. `make test` is the whole of it; `make check` is the quick loop without containers.

CARGO ?= cargo
TESTBED := tests/testbed/testbed
# The tests that need real databases, containers, a registry and images. They are ignored in plain `cargo test`.
REAL := --test databases --test containers --test leap

.PHONY: all build release check format lint quick test real bench testbed testbed-down schemas clean

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

## Everything: the quick loop, then the real leap on the test bed.
test: check real

real: testbed
	$(CARGO) test --locked $(REAL) -- --ignored --test-threads 2

## A whole leap, timed: leapfrog, a shell loop and an Ansible playbook of the same commands. Not part of `test`: it
## takes a quarter of an hour, and says little while anything else works on the machine.
bench: release testbed
	tests/bench/bench $(BENCH)

## Real images, registries and databases, on this machine. Built once, then only looked at.
testbed:
	$(TESTBED) up

testbed-down:
	$(TESTBED) down

## Writes the JSON Schemas anew; look at the changes before you commit them.
schemas:
	LEAPFROG_UPDATE=1 $(CARGO) test --locked --test schemas

clean:
	$(CARGO) clean
