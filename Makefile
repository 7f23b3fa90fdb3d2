# circdesk. "make demo" and "make test" are all that a new machine with Go needs.

GO          ?= go
BIN         ?= bin
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 1m
ARCH        ?= arm64
REPEAT      ?= 50
BUILD       := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w"

.DEFAULT_GOAL := build
.PHONY: build cross demo test tools format vet lint race units crashes fuzzed fuzz kills crash rot syscalls soak soak-chips bench machine screens

build: ## the programs for this machine, below bin/
	$(BUILD) -o $(BIN)/ ./cmd/kioskd ./cmd/kioskctl

cross: ## and for the Pi, without cgo
	GOOS=linux GOARCH=arm64 $(BUILD) -o $(BIN)/arm64/ ./cmd/kioskd ./cmd/kioskctl
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o $(BIN)/armv6/ ./cmd/kioskd ./cmd/kioskctl

demo: build ## the sample school with simulated devices; LISTEN and DATA may be set
	$(BIN)/kioskd demo $(if $(LISTEN),-listen $(LISTEN)) $(if $(DATA),-data $(DATA))

test: tools format vet lint race crashes fuzzed units build cross ## everything that must be right before a change lands

tools:
	@systemd/tools.sh

format:
	@wrong=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); [ -z "$$wrong" ] || { echo "gofmt would change: $$wrong"; exit 1; }

vet:
	$(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

# What kills, damages and wears on runs again below without the race detector, in its full number.
race:
	CIRCDESK_KILLS=30 CIRCDESK_ROT=30 CIRCDESK_SOAK=2000 $(GO) test -race -timeout 15m ./...

crashes: ## 10,000 power cuts, 300 kills, 300 damages
	$(GO) test -count=1 -timeout 15m -run 'PowerCut|CrashExplorer|Kill|Rot|Damage' ./store

fuzzed:
	@systemd/fuzz.sh 10s

units: ## the files for systemd; needs root for files of other users
	@if [ "$$(id -u)" = 0 ]; then systemd/check.sh; else echo "systemd/check.sh needs root: not run"; [ -z "$$CI" ]; fi

fuzz: ## every fuzz test for FUZZTIME
	@systemd/fuzz.sh $(FUZZTIME)

# The long tiers. Each prints one line at its end; "go test" runs the same in small.

kills: ## 10,000 kills under write load
	CIRCDESK_KILLS=10000 $(GO) test -count=1 -v -run Kill -timeout 2h ./store

crash: ## 1,000,000 disks that a power cut could leave
	CIRCDESK_CRASH=1000000 $(GO) test -count=1 -v -run 'PowerCut|CrashExplorer' -timeout 12h ./store

rot: ## 10,000 damages to the files
	CIRCDESK_ROT=10000 $(GO) test -count=1 -v -run 'Rot|Damage' -timeout 2h ./store

syscalls: ## every fault at every system call of a scripted day
	CIRCDESK_SYSCALLS=all $(GO) test -count=1 -v -run 'EverySystemCall|LyingDisk' -timeout 4h ./cmd/kioskd

soak: ## 1,000,000 transactions at the shipped binary
	CIRCDESK_SOAK_TX=1000000 $(GO) test -count=1 -v -run 'TestSoak$$' -timeout 6h ./cmd/kioskd

soak-chips: ## 1,000,000 operations on each simulated chip
	CIRCDESK_SOAK=1000000 $(GO) test -count=1 -v -run 'TestSoak$$' -timeout 2h ./devices/rfid/...

bench: ## the numbers, each against a floor in the same run
	CIRCDESK_NUMBERS=full $(GO) test -count=1 -v -run 'TestNumbers$$' -timeout 2h ./cmd/kioskd

machine: ## the desk under its real unit on a real kernel in QEMU; ARCH=amd64 and REPEAT=3 are quicker
	$(GO) run ./systemd/bench/machine -arch $(ARCH) -repeat $(REPEAT)

screens: ## the README's pictures
	CIRCDESK_SCREENSHOTS=1 $(GO) test -count=1 -run TestPictures ./web

include systemd/install.mk
