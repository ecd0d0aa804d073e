# Thin on purpose: each target is one or two commands of the toolchain. `make help` lists the targets.
SWIFT ?= swift
# For .ci/dependencies, which checks for it.
export SWIFT
PREFIX ?= /usr/local
# Without the runtime's exclusivity checks, which are a twentieth of the instructions of a fetched key; the tests keep
# them, in optimised builds, too. Links the C++ library that Swift's runtime needs statically, from a folder that has
# nothing else: loading it is a twentieth of the program's start.
RELEASE = $(SWIFT) build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked -Xlinker -L$(STATIC) \
	$(HARDENED) $(SAME_BYTES) -Xlinker "$$(.ci/identity)"
STATIC = $(CURDIR)/.build/static
# All symbols are bound at the start, and the tables of their addresses are read-only afterwards.
HARDENED = -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now
# So that a build does not depend on the folder that it runs in, of which the id of the build is a hash, too.
SAME_BYTES = -Xlinker --build-id=none -Xswiftc -file-prefix-map -Xswiftc $(CURDIR)=. -Xcc -ffile-prefix-map=$(CURDIR)=.
# Limits how many tests run at once: most start processes and servers, and more would only wait for each other.
TEST = SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4 $(SWIFT) test --disable-xctest
# Optimised code frees memory earlier than debug code: only these builds show when C still points to freed memory.
OPTIMISED = -c release -Xswiftc -enable-testing
# The tests of the modules that pass memory to C, without the rest of the package.
OPTIMISED_TESTS = $(OPTIMISED) --scratch-path .build-optimised
# What happened in each run of the tests.
EVENTS = $(CURDIR)/.build/test-events
REPORT_EVENTS = --event-stream-output-path $(EVENTS)
SOAK_FIGURES = $(CURDIR)/.build/soak-figures
PROGRAMS = ncloud-kms-rpc ncloud-kms-emulator
BUILT = .build/release
# The files that come with the programs, in the folders that they have under PREFIX.
SHARE = .build/share
MANUALS = $(SHARE)/man/man1
BASH_COMPLETIONS = $(SHARE)/bash-completion/completions
ZSH_COMPLETIONS = $(SHARE)/zsh/site-functions
FISH_COMPLETIONS = $(SHARE)/fish/vendor_completions.d
DESCRIPTION = .build/release/$(program) --experimental-dump-help
COMPLETIONS = .build/release/$(program) --generate-completion-script

.PHONY: help build man demo demo-fleet test traits docs soak sanitize fuzz bench lint install dist clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

build: ## Release binaries, at .build/release
	@.ci/dependencies build
	@mkdir -p $(STATIC)
	@ln -sf "$$($(CC) -print-file-name=libstdc++.a)" $(STATIC)/libstdc++.a || echo "The C++ library is linked at run time."
	$(foreach program,$(PROGRAMS),$(RELEASE) --product $(program) &&) true

man: build ## Man pages and shell completions, at .build/share
	$(RELEASE) --product kms-man-page
	rm -rf $(SHARE)
	mkdir -p $(MANUALS) $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS) $(FISH_COMPLETIONS)
	$(foreach program,$(PROGRAMS),$(DESCRIPTION) > $(SHARE)/help.json && \
		.build/release/kms-man-page < $(SHARE)/help.json > $(SHARE)/page && \
		mv $(SHARE)/page $(MANUALS)/$(program).1 &&) rm $(SHARE)/help.json
	$(foreach program,$(PROGRAMS),$(COMPLETIONS) bash > $(BASH_COMPLETIONS)/$(program) &&) true
	$(foreach program,$(PROGRAMS),$(COMPLETIONS) zsh > $(ZSH_COMPLETIONS)/_$(program) &&) true
	$(foreach program,$(PROGRAMS),$(COMPLETIONS) fish > $(FISH_COMPLETIONS)/$(program).fish &&) true

demo: build ## Run the service inside the emulator and show some calls
	@.build/release/ncloud-kms-emulator -- protocol/demo.sh .build/release/ncloud-kms-rpc

demo-fleet: build ## Run 50 processes inside the emulator, without and with a shared engine (needs redis-server)
	@.build/release/ncloud-kms-emulator --latency 30 -- protocol/demo-fleet.sh .build/release/ncloud-kms-rpc

# Ends with the tests that were skipped, also if others failed.
test: ## Run all tests; those of the modules that pass memory to C a second time, optimised
	@.ci/dependencies test
	@rm -rf $(EVENTS) && mkdir -p $(EVENTS)
	$(SWIFT) build --build-tests
	@.ci/docs "$$($(SWIFT) build --show-bin-path)"
	NCLOUD_KMS_RECIPES=1 $(TEST) --skip-build $(REPORT_EVENTS)/all || { .ci/skipped $(EVENTS); exit 1; }
	NCLOUD_KMS_TESTS_OF_C=1 $(SWIFT) build --build-tests $(OPTIMISED_TESTS)
	NCLOUD_KMS_TESTS_OF_C=1 $(TEST) --skip-build $(OPTIMISED_TESTS) $(REPORT_EVENTS)/optimised || \
		{ .ci/skipped $(EVENTS); exit 1; }
	@.ci/skipped $(EVENTS)

traits: ## Run the tests of each package trait alone, which takes minutes; `test` runs them with all traits
	@.ci/dependencies test
	$(SWIFT) build --build-tests
	NCLOUD_KMS_EACH_TRAIT=1 $(TEST) --skip-build --filter 'each trait works alone'

docs: ## Build the documentation of the Swift library, at .build/documentation
	@.ci/dependencies build
	$(SWIFT) build --target NCloudKMSTesting
	@.ci/docs "$$($(SWIFT) build --show-bin-path)"

# For the fleets NCLOUD_KMS_SOAK_PROCESSES sets how many processes run, and NCLOUD_KMS_SOAK_PROGRAM the program, which is
# otherwise that of the debug build. Their bounds are for a machine that does little else.
# The tests append their figures. If there are none, no test ran, which is a failure.
soak: ## Run the soak tests: mixed traffic (NCLOUD_KMS_SOAK_MINUTES, default 10), an outage, throttling, fleets, an idle minute
	@.ci/dependencies test
	@rm -f $(SOAK_FIGURES)
	$(SWIFT) build --build-tests
	NCLOUD_KMS_SOAK=$(SOAK_FIGURES) $(SWIFT) test --skip-build --disable-xctest --no-parallel \
		--filter 'SoakTests|IdleTests'; status=$$?; cat $(SOAK_FIGURES) && exit $$status

# Undefined behaviour is looked for in the C functions of our headers, which the Swift compiler compiles, and in the C
# targets of packages. Without a runtime library for it, it traps (SIGILL).
UNDEFINED = -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined
SANITIZE_ADDRESS = NCLOUD_KMS_SANITIZER=address $(TEST) --sanitize=address $(UNDEFINED)

sanitize: ## Run all tests under the thread sanitizer, then under those for addresses and for C, then these optimised
	@.ci/dependencies test
	@.ci/undefined $(UNDEFINED)
	NCLOUD_KMS_SANITIZER=thread TSAN_OPTIONS="suppressions=$(CURDIR)/.ci/tsan.suppressions" \
		$(TEST) --sanitize=thread --scratch-path .build-tsan
	$(SANITIZE_ADDRESS) --scratch-path .build-asan
	$(SANITIZE_ADDRESS) $(OPTIMISED) --scratch-path .build-asan-optimised

# Time is shared among the targets.
fuzz: ## Fuzz every parser for SECONDS (default 600) in all, under the address sanitizer; TARGETS="json der": only these
	@.ci/dependencies build
	@.ci/fuzz $(or $(SECONDS),600) $(TARGETS)

bench: build ## Benchmark against other clients; QUICK=1: in two minutes; AGAINST=FOLDER: another build; RECORD=1: keep the result
	@.ci/dependencies bench
	@python3 -B Tests/Benchmarks/bench.py $(if $(QUICK),--quick) $(if $(RECORD),--record) $(if $(AGAINST),--against $(AGAINST))

lint: ## Check the format
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

install: man ## Install programs, man pages and completions under PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(addprefix $(BUILT)/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin
	ln -sf ncloud-kms-rpc $(DESTDIR)$(PREFIX)/bin/sigstore-kms-ncloud
	install -d $(DESTDIR)$(PREFIX)/share
	cp -R $(SHARE)/. $(DESTDIR)$(PREFIX)/share

# The versions of Swift packages that releases are built with.
dist: ## Build a tarball, a Debian package, an SBOM and checksums, at .build/dist
	@.ci/dependencies dist
	@cmp -s .ci/packages.resolved Package.resolved || cp .ci/packages.resolved Package.resolved
	@$(MAKE) man
	@.ci/dist

clean: ## Remove everything that was built
	rm -rf .build*
