# circdesk. "make demo" and "make test" are all that a new machine with Go needs.

GO          ?= go
BIN         ?= bin
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
BUILD       := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w"

.DEFAULT_GOAL := build
.PHONY: build cross demo test tools format vet lint race units fuzz

build: ## the programs for this machine, below bin/
	$(BUILD) -o $(BIN)/ ./cmd/kioskd ./cmd/kioskctl

cross: ## and for the Pi, without cgo
	GOOS=linux GOARCH=arm64 $(BUILD) -o $(BIN)/arm64/ ./cmd/kioskd ./cmd/kioskctl
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o $(BIN)/armv6/ ./cmd/kioskd ./cmd/kioskctl

demo: build ## the sample school with simulated devices; LISTEN and DATA may be set
	$(BIN)/kioskd demo $(if $(LISTEN),-listen $(LISTEN)) $(if $(DATA),-data $(DATA))

test: tools format vet lint race units build cross ## everything that must be right before a change lands

tools:
	@systemd/tools.sh

format:
	@wrong=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); [ -z "$$wrong" ] || { echo "gofmt would change: $$wrong"; exit 1; }

vet:
	$(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

race:
	$(GO) test -race -timeout 15m ./...

units: ## the files for systemd; needs root for files of other users
	@if [ "$$(id -u)" = 0 ]; then systemd/check.sh; else echo "systemd/check.sh needs root: not run"; [ -z "$$CI" ]; fi

include systemd/install.mk
