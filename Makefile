# make alone lists the targets; the text after ## is what it says of each.
.DEFAULT_GOAL := help
SHELL := /bin/bash

GO       ?= go
PREFIX   ?= $(HOME)/.local
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 10s

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: build
build: ## build moat and moatd into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/moat ./cmd/moat
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/moatd ./cmd/moatd

.PHONY: docs
docs: ## write man pages and completions into bin/docs
	$(GO) run ./packaging/cmd/gendocs write '$(VERSION:-dirty=)' "$$(git log -1 --format=%ct)" bin/docs

.PHONY: deb
deb: ## build the packages for Debian and its kin into dist/
	packaging/build dist deb

.PHONY: rpm
rpm: ## build the packages for Fedora, SUSE and their kin into dist/
	packaging/build dist rpm

.PHONY: sbom
sbom: ## write the bills of materials of the programs into dist/
	packaging/build dist sbom

.PHONY: dist
dist: ## build all that a release consists of into dist/: packages, archives, bills of materials, checksums
	rm -rf dist
	packaging/build dist

.PHONY: check-dist
check-dist: ## check what is in dist/; needs lintian rpm rpmlint mandoc ruby
	cd packaging/tools && $(GO) vet ./... && $(GO) test ./...
	packaging/check dist

.PHONY: check-twice
check-twice: ## build all of dist/ twice and compare
	packaging/check twice

.PHONY: demo
demo: ## show the main job, from grant to crash, on this machine; needs Go alone
	$(GO) run ./pkg/internal/demo

.PHONY: test
test: ## run the tests, with the race detector, in random order; needs Go alone
	$(GO) vet ./...
	$(GO) test -race -shuffle=on ./...
	$(GO) test -run Property ./pkg/internal/inject # every cut of every coding; the race detector would take minutes

.PHONY: e2e
e2e: ## run the tests with a real systemd, Docker and keyring, which they set up; needs root on Debian
	$(GO) test -count=1 -tags e2e -timeout 30m -v ./init/systemd
	$(GO) test -count=1 -tags e2e -timeout 15m -v -run 'TestRunsAndTheirContainers|TestDoctorFromAContainer' ./pkg/daemon
	$(GO) test -count=1 -tags e2e -timeout 5m -v -run TestARealKeyring ./pkg/moatd
	$(GO) test -race -count=1 -v -run TestASingleUseRefreshToken ./pkg/moatd -expiries 50 -expirykills 20

.PHONY: cross
cross: ## vet the program for macOS, and build its two commands
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...
	GOOS=darwin GOARCH=amd64 CGO_ENABLED=0 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build ./cmd/...
	GOOS=darwin GOARCH=amd64 CGO_ENABLED=0 $(GO) build ./cmd/...

.PHONY: lint
lint: ## run the linters of .golangci.yml
	$(GO) run $(LINTER) run ./...

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME (10s)
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' pkg init | xargs -n1 dirname | sort -u | while read -r dir; do \
	  for name in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
	    echo "$$dir $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$dir; done; done

.PHONY: bench
bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: install
install: build ## install into PREFIX (~/.local), as a service of this user
	mkdir -p $(PREFIX)/bin
	install bin/moat bin/moatd $(PREFIX)/bin
	$(PREFIX)/bin/moat daemon install

.PHONY: uninstall
uninstall: ## undo install; the state in ~/.moat stays
	-$(PREFIX)/bin/moat daemon uninstall
	rm -f $(PREFIX)/bin/moat $(PREFIX)/bin/moatd

.PHONY: clean
clean: ## remove what the targets built
	rm -rf bin dist
