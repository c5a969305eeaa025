GO ?= go
build: ## build bin/ncatd
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/ncatd ./cmd/ncatd
test: ## all tests; needs no network once modules are there
	$(GO) test ./...
