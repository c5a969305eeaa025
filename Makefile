# Every target in one line; `make` alone lists them. CI calls the same names.
GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Without inlining, and with functions side by side, the binary is 2 MiB smaller.
# What runs for each event keeps its inlining; SQLite and QuickJS, whose Go is made
# by a compiler, grow without it. internal/release builds with the same flags.
SMALL    := -gcflags=all=-l $(foreach p,runtime/... internal/... sync/... reflect encoding/json modernc.org/... github.com/klauspost/... github.com/coder/... github.com/ncatd/ncatd/onebot github.com/ncatd/ncatd/internal/bot/... github.com/ncatd/ncatd/internal/gateway,-gcflags=$(p)=)
LDFLAGS  := -s -w -funcalign=16 -X github.com/ncatd/ncatd.version=$(VERSION)
MAXBIN   := 31457280
TARGETS  := linux/amd64 linux/arm64 linux/riscv64 linux/loong64 windows/amd64 darwin/amd64 darwin/arm64
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: vet-cross e2e-dev e2e-fleet fleet-kills manifests bench-fleet simulate-fleet catalogue self-kills mutants bench-runtime store-kills journal-kills alert-kills app-kills help build run test race e2e e2e-login e2e-console e2e-console-smoke e2e-kills e2e-apps bench-gateway e2e-damaged e2e-doctor e2e-systemd e2e-container bench-idle large bench soak soak-limits fuzz fmt lint generate api check cross vuln release clean bench-bus

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## build bin/ncatd, stripped, and print its size
	@mkdir -p bin
	$(GO) build -trimpath $(SMALL) -ldflags "$(LDFLAGS)" -o bin/ncatd ./cmd/ncatd
	@size=$$(wc -c < bin/ncatd); printf 'bin/ncatd: %d bytes (%d.%d MiB, at most 30.0 MiB)\n' $$size $$((size/1048576)) $$((size%1048576*10/1048576)); test $$size -le $(MAXBIN)

run: build ## install, launch, log in and answer on the simulator: no network, no account
	bin/ncatd start --sim --yes

test: ## all tests; needs no network beyond the Go modules
	$(GO) test ./...

race: ## all tests under the race detector, the heaviest shortened; RACE=PACKAGES picks some
	CGO_ENABLED=1 $(GO) test -race -short -timeout 8m $(or $(RACE),./...)

e2e: build ## the real binary and the simulator, one script per behaviour
	$(GO) test -tags e2e -count=1 -timeout 12m -parallel 4 ./cmd/ncatd ./internal/e2e ./internal/soak

e2e-peers: build ## other authors' clients and frameworks against the simulator (needs node and npm)
	cd internal/e2e/peers && npm ci --no-audit --no-fund --ignore-scripts
	node internal/e2e/peers/node-napcat-ts.mjs bin/ncatd
	node internal/e2e/peers/koishi.cjs bin/ncatd
	cd internal/e2e/peers/zerobot && $(GO) run . ../../../../bin/ncatd

e2e-console: build ## the web console in Chromium: every page, keyboard, accessibility, sizes, times, TLS, a proxy (needs chromium, node, npm, zbarimg, nginx). SHOTS=docs/img renews the pictures
	cd internal/e2e/console && npm ci --no-audit --no-fund --ignore-scripts
	node internal/e2e/console/run.mjs bin/ncatd $(SHOTS)
	$(GO) test -count=1 -run 'Attack|Viewers|OldLinks|Revocation|Cookie|Pages|Browsers|Proxies' ./internal/control ./internal/console

e2e-console-smoke: build ## the short pass of e2e-console, as CI runs it: one login by the code, every page once on a phone, times, roles, keyboard
	cd internal/e2e/console && npm ci --no-audit --no-fund --ignore-scripts
	SMOKE=1 node internal/e2e/console/run.mjs bin/ncatd

e2e-apps: build ## frameworks of other authors as apps that ncatd runs, on the simulator (needs node, npm, nginx, and of Debian python3-aiohttp, -fastapi, -hypercorn, -quart, -uvicorn and -websockets)
	cd internal/e2e/peers && npm ci --no-audit --no-fund --ignore-scripts
	cd internal/e2e/peers/zerobot && $(GO) build -o ../../../../bin/zerobot-app ./app
	node internal/e2e/peers/apps.mjs bin/ncatd bin/zerobot-app
	node internal/e2e/peers/python.mjs bin/ncatd
	node internal/e2e/peers/flood.mjs bin/ncatd bin/zerobot-app $(or $(MESSAGES),10000)
	node internal/e2e/peers/kills.mjs bin/ncatd bin/zerobot-app $(or $(KILLS),6)
	node internal/e2e/peers/docs.mjs bin/ncatd

app-kills: build ## ncatd killed with -9 at fifty random moments under two apps that it runs; KILLS asks for another number
	cd internal/e2e/peers && npm ci --no-audit --no-fund --ignore-scripts
	cd internal/e2e/peers/zerobot && $(GO) build -o ../../../../bin/zerobot-app ./app
	node internal/e2e/peers/kills.mjs bin/ncatd bin/zerobot-app $(or $(KILLS),50)

bench-gateway: ## the gateway beside a floor that reads a frame once and writes it N times: CPU, latency, a client that stops reading
	@mkdir -p bin
	$(GO) build -trimpath -o bin/bench-gateway ./internal/bench/gateway
	bin/bench-gateway $(BENCHFLAGS)

e2e-kills: ## fifty upgrades killed with -9 at random moments; KILLS asks for another number
	E2E_KILLS=$(or $(KILLS),50) $(GO) test -tags e2e -count=1 -timeout 30m -v -run UpgradeKilled ./cmd/ncatd

e2e-dev: ## twenty saves of a bot under ncatd dev while people write to it; EDITS asks for another number
	E2E_EDITS=$(or $(EDITS),20) $(GO) test -tags e2e -count=1 -timeout 30m -v -run DevLosesNothing ./cmd/ncatd

e2e-damaged: ## each file of a home damaged in each way: every command works, or names the file and a remedy
	E2E_DAMAGED=1 $(GO) test -tags e2e -count=1 -timeout 20m -run DamagedHome ./cmd/ncatd

e2e-doctor: ## the command that doctor names, run in a bare Debian (root; debootstrap). E2E_SUITE: of another release
	E2E_DOCTOR=1 $(GO) test -tags e2e -count=1 -timeout 20m -v -run Doctor ./cmd/ncatd

large: ## fetch a 300 MiB package in spite of a kill -9: bytes, memory and rate beside curl and sha256sum
	E2E_LARGE=1 $(GO) test -count=1 -v -run LargePackage ./internal/napcat/install

store-kills: ## kill -9 in the middle of 1,000 store updates, KILLS (50) times: nothing lost, nothing broken
	NCATD_STORE_KILLS=$(or $(KILLS),50) $(GO) test -count=1 -v -run TestKilledWriterLosesNothing ./internal/bot/store

journal-kills: ## ncatd, and a bot that dials, killed with -9 at random moments, a message every 50 ms, KILLS (100) times: each answered once
	@mkdir -p bin
	$(GO) build -o bin/soak ./internal/soak
	bin/soak journal -n $(or $(KILLS),100)
	NCATD_JOURNAL_KILLS=$(or $(KILLS),100) $(GO) test -count=1 -timeout 20m -v -run TestKilledBotAnswersOnce ./ncat/sqlite

alert-kills: ## the alerts alone, then the whole ncatd, killed with -9 in the middle of a storm, KILLS (100) times: none lost, at most one doubled by each
	NCATD_ALERT_KILLS=$(or $(KILLS),100) $(GO) test -count=1 -timeout 20m -v -run TestKilledAlerterLosesNothing ./internal/alert
	E2E_ALERT_KILLS=$(or $(KILLS),100) $(GO) test -tags e2e -count=1 -timeout 30m -v -run TestStormOfAlertsKilled ./cmd/ncatd

bench: ## CPU per event, latency and memory of examples/pingpong beside the bare floor: PASS or FAIL
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/bench ./internal/bench
	$(GO) build -trimpath -ldflags "-s -w" -o bin/pingpong ./examples/pingpong
	bin/bench $(BENCHFLAGS) pingpong=bin/pingpong
	$(GO) test -run '^$$' -bench BenchmarkEvent -benchtime 20000x ./ncat
	$(MAKE) bench-idle bench-spawn

bench-runtime: ## thirty chats, one with a slow handler: p99 of the others; memory after 1,000,000 events
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/bench ./internal/bench
	bin/bench $(BENCHFLAGS) runtime

bench-script: ## CPU per event, from a frame on the link to the answer there, of a script beside the handler in Go (at most 3 times); of one whose filter does not match (at most 2 us); the same within the process
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/bench ./internal/bench
	$(GO) test -run '^$$' -bench 'BenchmarkPing' -benchtime 20000x -count 3 ./internal/script
	bin/bench $(BENCHFLAGS) scripts

script-types: ## the declarations, the examples and the pages' pieces under tsc --strict (needs npm)
	@mkdir -p bin/tsc
	npm install --prefix bin/tsc --no-audit --no-fund --ignore-scripts --silent typescript@5.9.3
	NCATD_TSC=$(CURDIR)/bin/tsc/node_modules/.bin/tsc $(GO) test -count=1 -v -run TestTypes ./internal/script

script-saves: ## 200 saves of a script while messages flow: p99 from the save to the first answer of the new code; 1,000 reloads; p99 of a script beside hostile ones
	NCATD_SCRIPT_SAVES=1 NCATD_SCRIPT_RELOADS=1 $(GO) test -count=1 -timeout 20m -v -run 'TestSaves|TestManyReloads|TestHostile' ./internal/script

bench-idle: ## memory and CPU of a daemon with one account and nothing to do
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/soak ./internal/soak
	bin/soak many -accounts 1

bench-spawn: ## NapCat killed ten times: how soon the next process is there, how the pauses grow
	@mkdir -p bin
	$(GO) build -o bin/soak ./internal/soak
	bin/soak spawn -n 10

soak: ## accounts on the simulator under random faults of NapCat, ncatd, its disk and its store for SOAK (10m); root fills the disk
	@mkdir -p bin
	$(GO) build -o bin/soak ./internal/soak
	bin/soak faults -for $(or $(SOAK),10m)

soak-limits: ## accounts on the simulator without descriptors, processes, memory and disk in turn: none lost, no copy, no spin
	@mkdir -p bin
	$(GO) build -o bin/soak ./internal/soak
	bin/soak limits

e2e-fleet: ## hosts, workers and a real NATS server, each killed in turn
	$(GO) test -tags e2e_fleet -count=1 -p 1 -timeout 15m ./internal/fleet/... ./ncat/natsbot ./internal/e2e/fleet

fleet-kills: ## three hosts, twelve accounts, four workers, three servers: MESSAGES (50000), KILLS (50) of each kind, a host and the bus cut off for 60 s, MOVES (20) of an account
	NCATD_MESSAGES=$(or $(MESSAGES),50000) NCATD_KILLS=$(or $(KILLS),50) NCATD_PARTITION=60 NCATD_AWAY=60 NCATD_MOVES=$(or $(MOVES),20) $(GO) test -tags e2e_fleet -count=1 -timeout 3h -v -run 'TestFleet|TestKills|TestTakeover|TestMoveKills|TestBusAway|TestLongPartition' ./internal/e2e/fleet

bench-fleet: ## a remote worker beside a local bot, a host's events beside nats.go alone, on three servers (nothing else may run)
	NCATD_BENCH=1 $(GO) test -tags e2e_fleet -count=1 -timeout 20m -v -run '^TestBenchFleet$$' $(BENCHFLAGS) ./ncat/natsbot

bench-bus: ## memory, start time and idle CPU of a daemon without bus: beside one with it
	NCATD_BENCH=1 $(GO) test -tags e2e_fleet -count=1 -timeout 20m -v -run '^TestIdleWithoutBus$$' ./internal/e2e/fleet

simulate-fleet: ## what fleets of 10, 1,000 and 100,000 accounts need, and a worker's death, in virtual time
	$(GO) run ./internal/fleet/simulate

manifests: ## configs/kubernetes decoded strictly into the types of Kubernetes
	cd tools && $(GO) test -count=1 ./kubernetes

e2e-login: build ## every way to log in, on real terminals (needs tmux and zbarimg)
	$(GO) test -tags e2e_login -count=1 -timeout 8m -parallel 3 -run 'Login|Screen|Tools' ./cmd/ncatd ./internal/cli

session: ## the session that README shows, typed into a real shell and drawn anew into docs/img (needs tmux)
	E2E_SESSION=$(CURDIR)/docs/img $(GO) test -tags e2e -count=1 -timeout 8m -run '^TestSession$$' ./cmd/ncatd

e2e-platforms: ## the programs for arm64, armv7, riscv64 under qemu and for Windows under wine, as far as they run there (qemu-user, qemu-user-binfmt, wine, gcc-mingw-w64-x86-64-win32)
	@mkdir -p bin/platforms
	for a in arm64 arm riscv64; do CGO_ENABLED=0 GOOS=linux GOARCH=$$a GOARM=7 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/platforms/ncatd-linux-$$a ./cmd/ncatd || exit 1; done
	GOOS=windows GOARCH=amd64 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/platforms/ncatd-windows-amd64.exe ./cmd/ncatd
	internal/e2e/platforms/run.sh bin/platforms || { rc=$$?; [ $$rc -eq 77 ] || exit $$rc; }

e2e-systemd: build ## the service under a real systemd, booted in a container (root; debootstrap, systemd-container)
	$(GO) build -trimpath -ldflags "-s -w" -o bin/soak ./internal/soak
	internal/e2e/systemd/run.sh bin/ncatd bin/soak || { rc=$$?; [ $$rc -eq 77 ] || exit $$rc; }

e2e-container: ## the container file built by hand, step by step, and run (root; debootstrap)
	internal/e2e/container/run.sh configs/Containerfile || { rc=$$?; [ $$rc -eq 77 ] || exit $$rc; }

# FUZZ picks targets by a pattern. Minimising is cut short: on the targets that unpack archives it would eat all the time.
fuzz: ## every fuzz target for FUZZTIME (60s); FUZZ=PATTERN picks some
	@GO='$(GO)' tools/fuzz.sh $(or $(FUZZTIME),60s) '$(FUZZ)'

mutants: ## break the code in small places and see which tests notice; MUTANTS=N of each package (40), ONLY=TEXT picks
	@mkdir -p bin
	cd tools && $(GO) build -o ../bin/mutants ./mutants
	bin/mutants -n $(or $(MUTANTS),40) -named tools/mutants/named.json -only '$(ONLY)' tools/mutants/plan.txt

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

lint: ## gofmt, go vet, staticcheck, what it lacks (tools/lint), actionlint of the workflows
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change: $$out"; exit 1; }
	$(GO) vet ./...
	@mkdir -p bin
	cd tools && $(GO) build -o ../bin/ ./lint honnef.co/go/tools/cmd/staticcheck github.com/rhysd/actionlint/cmd/actionlint
	bin/staticcheck ./...
	bin/lint -test=false -errorlint.comparison=false -errcheck.exclude tools/lint/errcheck.txt ./...
	bin/actionlint

generate: ## regenerate the OneBot client
	$(GO) generate ./...

api: ## write down the exported API anew, in api/
	$(GO) test -count=1 -run '^TestAPI$$' . -args -update-api

check: generate ## generated code is fresh
	git diff --exit-code -- onebot internal/script

vet-cross: ## go vet for Windows and macOS
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...

cross: ## build for every supported platform into dist/
	@mkdir -p dist
	@for t in $(TARGETS); do os=$${t%/*}; arch=$${t#*/}; ext=; [ $$os = windows ] && ext=.exe; echo "dist/ncatd-$$os-$$arch$$ext"; GOOS=$$os GOARCH=$$arch $(GO) build -trimpath $(SMALL) -ldflags "$(LDFLAGS)" -o dist/ncatd-$$os-$$arch$$ext ./cmd/ncatd || exit 1; done

vuln: ## known vulnerabilities in what is linked (needs the network)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

release: ## all files of a release into dist/, signed; needs VERSION=1.2.3 and NCATD_SIGNING_KEY (docs/releasing.md)
	$(GO) run ./internal/release build -version "$(VERSION)" -out dist

# Releases of the working tree, for tests, signed by a key that only their own
# programs trust: bin/release-0.9.0 and bin/release-0.9.1.
PLATFORM := $(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH)
bin/keys:
	@rm -rf bin/keys && mkdir -p bin/keys
	$(GO) build -o bin/release ./internal/release
	cd bin/keys && ../release key new root && ../release key new signing && ../release key certify -serial 1 -root root.key signing.pub
	$(GO) build -ldflags "-X github.com/ncatd/ncatd/internal/selfupgrade/signed.testKeys=$$(sed -n 2p bin/keys/root.pub)" -o bin/release ./internal/release
bin/releases: bin/keys
	for v in 0.9.0 0.9.1; do NCATD_SIGNING_KEY=bin/keys/signing.key bin/release build -version $$v -platforms $(PLATFORM) -out bin/release-$$v || exit 1; done
.PHONY: session e2e-platforms bin/keys bin/releases release-twice e2e-packages e2e-install e2e-self

release-twice: bin/keys ## the release of this commit made twice, in different folders: every file the same; a .deb at most 12 MB. PLATFORMS picks; TWICE_CACHE=shared compiles once
	internal/release/twice.sh bin/release bin/keys/signing.key 0.9.0 "$(PLATFORMS)"

e2e-packages: bin/releases ## the .deb installed, started, upgraded, removed, purged under the systemd of Debian 12, 13, Ubuntu; rpm, apk, Arch by hand (root; debootstrap, systemd-container, rpm, rpm2cpio, cpio, zstd)
	internal/e2e/packages/run.sh bin/release-0.9.0 bin/release-0.9.1 $(SUITES) || { rc=$$?; [ $$rc -eq 77 ] || exit $$rc; }

catalogue: ## check the catalogue of NapCat and QQ; OUT=DIR signs it for the release called catalogue (docs/releasing.md)
	$(GO) run ./internal/release catalogue $(if $(OUT),-out $(OUT))

self-kills: ## `self upgrade` killed with -9 at random moments, KILLS (100) times: whatever lies at the path starts
	E2E_KILLS=$(or $(KILLS),100) $(GO) test -tags e2e -count=1 -timeout 30m -v -run SelfUpgradeKilled ./cmd/ncatd

e2e-install: bin/releases ## install.sh in a bare Debian, from servers that lie and one that does not, with dash, bash, busybox (root; debootstrap, systemd-container, busybox-static)
	E2E_RELEASE=$(CURDIR)/bin/release-0.9.1 $(GO) test -tags e2e -count=1 -timeout 20m -v -run BareDebian ./internal/release

e2e-self: ## `self upgrade` and versions that crash, hang or refuse the config, under a real systemd (root; debootstrap, systemd-container)
	E2E_SELF=1 $(GO) test -tags e2e -count=1 -timeout 20m -v -run SelfUpgradeSystemd ./cmd/ncatd

clean: ## remove what was built
	rm -rf bin dist
