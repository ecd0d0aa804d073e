# Thin on purpose: each target is one or two commands of the toolchain. `make help` lists them.
SWIFT ?= swift
PREFIX ?= /usr/local
RELEASE = $(SWIFT) build -c release --static-swift-stdlib
SOAK_FIGURES = $(CURDIR)/.build/soak-figures
PROGRAMS = ncloud-kms-rpc ncloud-kms-emulator

.PHONY: help build demo test soak lint install clean

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

# The tests append their figures; without any, nothing was run, and that is a failure.
soak: ## Hours in minutes: mixed traffic (NCLOUD_KMS_SOAK_MINUTES, 10), an outage, throttling, a minute of idleness
	@.ci/dependencies test
	@rm -f $(SOAK_FIGURES)
	$(SWIFT) build --build-tests
	NCLOUD_KMS_SOAK=$(SOAK_FIGURES) $(SWIFT) test --skip-build --disable-xctest --no-parallel \
		--filter 'SoakTests|IdleTests'; status=$$?; cat $(SOAK_FIGURES) && exit $$status

lint: ## Check the format
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

install: build ## Install the programs under PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(addprefix .build/release/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin

clean: ## Remove everything that was built
	rm -rf .build*
