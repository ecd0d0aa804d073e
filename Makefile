# Thin on purpose: each target is one or two commands of the toolchain. `make help` lists them.
SWIFT ?= swift
PREFIX ?= /usr/local
RELEASE = $(SWIFT) build -c release --static-swift-stdlib
PROGRAMS = ncloud-kms-rpc ncloud-kms-emulator

.PHONY: help build demo test soak sanitize lint install clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)

build: ## Release binaries, at .build/release
	@.ci/dependencies build
	$(foreach program,$(PROGRAMS),$(RELEASE) --product $(program) &&) true

demo: build ## Run the service inside the emulator and show some calls
	@.build/release/ncloud-kms-emulator -- protocol/demo.sh .build/release/ncloud-kms-rpc

test: ## All tests
	@.ci/dependencies test
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --disable-xctest

soak: ## The tests that take minutes
	@.ci/dependencies test
	NCLOUD_KMS_SOAK=1 $(SWIFT) test --disable-xctest --filter IdleTests

sanitize: ## All tests under the thread sanitizer, then under the address sanitizer
	@.ci/dependencies test
	NCLOUD_KMS_SANITIZER=thread TSAN_OPTIONS="suppressions=$(CURDIR)/.ci/tsan.suppressions" \
		$(SWIFT) test --disable-xctest --sanitize=thread --scratch-path .build-tsan
	NCLOUD_KMS_SANITIZER=address $(SWIFT) test --disable-xctest --sanitize=address --scratch-path .build-asan

lint: ## Check the format
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

install: build ## Install the programs under PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(addprefix .build/release/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin

clean: ## Remove everything that was built
	rm -rf .build*
