# sidewarden. `make help` lists what there is.
#
# The tools are pinned in modules of their own under tools/, so that what they need stays out of the product's go.mod.
# The first `make lint` compiles the linter (a few minutes); later ones take it from Go's build cache.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

GO      ?= go
BIN     ?= bin/sidewarden
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= sidewarden:$(VERSION)

PREFIX       := github.com/sidewarden/sidewarden
GOFUMPT      := $(GO) tool -modfile=tools/gofumpt/go.mod gofumpt
GOIMPORTS    := $(GO) tool -modfile=tools/gofumpt/go.mod goimports -local $(PREFIX)
GOLANGCILINT := $(GO) tool -modfile=tools/golangci-lint/go.mod golangci-lint
GOVULNCHECK  := $(GO) tool -modfile=tools/govulncheck/go.mod govulncheck

FUZZTIME    ?= 30s
BENCH       ?= .
BENCHTIME   ?= 200ms
COUNT       ?= 10
BASE        ?=
PKGS        ?= ./...
LOAD        ?=
TIME        ?= 10m
COVER_PKGS  ?= ./policy ./ratelimit
COVER_FLOOR ?= 90

.PHONY: all
all: fmt-check lint test ## Check the format, lint, run every test (the default)

.PHONY: build
build: ## Build the static binary into bin/, with the time zone database inside
	CGO_ENABLED=0 $(GO) build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/sidewarden

.PHONY: demo
demo: build ## Build, then show measured enforcement gaps: no network, root or Docker
	$(abspath $(BIN)) demo

# The go command starts packages in the order given. ./test takes the longest: last, as the alphabet has it, it would run on
# alone when the others are through.
.PHONY: test
test: test-deps ## Install what the tests need, then run all of them once, with the race detector
	$(GO) test -race -shuffle=on ./test ./...

.PHONY: test-deps
test-deps: ## Install what the tests need and is missing: Debian packages, then npm packages
	tools/test-deps.sh
	tools/npm-deps.sh

.PHONY: fmt
fmt: ## Rewrite the Go files in the house format
	$(GOFUMPT) -w .
	$(GOIMPORTS) -w .

.PHONY: fmt-check
fmt-check: ## Fail when a Go file is not in the house format
	@unformatted=$$($(GOFUMPT) -l . && $(GOIMPORTS) -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; sort -u <<<"$$unformatted"; exit 1; fi

.PHONY: lint
lint: ## Run golangci-lint with the commented list of .golangci.yml
	$(GOLANGCILINT) run ./...

.PHONY: vet
vet: ## Run go vet
	$(GO) vet ./...

.PHONY: docs
docs: ## Rewrite the generated parts of docs/ from the code
	@packages=$$(tools/list-tests.sh Docs | cut -f1 | sort -u); $(GO) test $$packages -run Docs -update

.PHONY: docs-check
docs-check: ## Fail when docs/ and the code differ
	@packages=$$(tools/list-tests.sh Docs | cut -f1 | sort -u); $(GO) test -count=1 $$packages -run Docs

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME each (30s), longer if that is over before the seeds are
	FUZZTIME=$(FUZZTIME) tools/fuzz.sh

.PHONY: bench
bench: ## Print what stages and contracts cost beside budgets and kin-openapi, with serve's GOGC; what is over is marked
	GOGC=400 $(GO) test -run '^$$' -bench '^BenchmarkStage$$' -benchmem -benchtime=$(BENCHTIME) -count=5 ./test/budget | tools/bench-table.sh
	GOGC=400 $(GO) test -run '^$$' -bench '^BenchmarkContract$$' -benchtime=$(BENCHTIME) -count=3 ./policy/openapi | tools/bench-contract.sh

.PHONY: bench-compare
bench-compare: ## Run the benchmarks COUNT times here and at the revision BASE, in turn, and compare (BENCH, PKGS)
	tools/bench-compare.sh "$(BASE)" "$(BENCH)" "$(COUNT)" "$(BENCHTIME)" $(PKGS)

.PHONY: counts
counts: test-deps ## Fail when a request costs other allocations, bytes or instructions than the committed numbers
	$(GO) test -count=1 ./test/budget
	tools/instructions.sh

.PHONY: counts-update
counts-update: test-deps ## Commit what a request costs now to test/budget/testdata
	$(GO) test -count=1 ./test/budget -run '^TestRequestsCostWhatIsCommitted$$' -update
	UPDATE=1 tools/instructions.sh

.PHONY: load
load: build ## Measure what the sidecar costs beside a bare proxy (15 min), into dist/load
	$(GO) run ./test/load -binary $(BIN) $(LOAD)

.PHONY: gateways
gateways: test-deps ## Send honest traffic through nginx and HAProxy for TIME (10m), to a shadow sidecar and past it, and compare
	GATEWAY_TIME=$(TIME) $(GO) test -count=1 -timeout 0 -run '^TestHonestTrafficOfGateways$$' -v ./test

.PHONY: cover
cover: ## Fail when the statement coverage of a pure package is under COVER_FLOOR percent
	@for pkg in $(COVER_PKGS); do \
	  out=$$($(GO) test -cover $$pkg) || { echo "$$out"; exit 1; }; \
	  awk -v pkg=$$pkg -v floor=$(COVER_FLOOR) ' \
	    match($$0, /coverage: [0-9.]+%/) { got = substr($$0, RSTART + 10, RLENGTH - 11) } \
	    END { if (got == "") { print pkg ": no coverage was measured"; exit 1 } \
	          printf "%s: %s%% of statements, floor %s%%\n", pkg, got, floor; exit got + 0 < floor + 0 }' <<<"$$out"; \
	done

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the code calls (needs the vulnerability database)
	$(GOVULNCHECK) ./...

.PHONY: image
image: ## Build the container image (needs Docker)
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

.PHONY: clean
clean: ## Remove what make made
	rm -rf bin dist

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
