# make check       what CI runs before the acceptance tests
# make acceptance  real parts in container guests; needs root on Debian, says what it installs
.PHONY: check test lint shellcheck format cross acceptance acceptance-vm acceptance-full demo update

check: format test shellcheck cross

demo:
	go run . demo

test:
	go vet ./...
	go test ./...

format:
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "not formatted: $$bad"; exit 1; fi

lint:
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2 run ./...

shellcheck:
	shellcheck -s sh fixes/scripts/*.sh internal/action/*.sh internal/probe/sections/*.sh internal/acceptance/lab/sick/*
	shellcheck -x -P SCRIPTDIR -S warning internal/acceptance/lab/lab.sh internal/acceptance/lab/record.sh internal/acceptance/vm/vm.sh .ci/run

# every platform that a release is built for, without cgo
cross:
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo "build $$os/$$arch"; CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -o /dev/null . || exit 1; done; done

# rewrites goldens and generated documents; read the diff
update:
	go test ./internal/report ./cmd ./fixes ./internal/probe . -update

acceptance:
	@echo "This needs root on Debian. It installs these packages:"
	@sed 's/#.*//' internal/acceptance/lab/packages
	internal/acceptance/lab/lab.sh install
	go test -tags acceptance -count=1 -v -timeout 30m ./internal/acceptance

acceptance-vm:
	internal/acceptance/vm/vm.sh install
	go test -tags acceptance_vm -count=1 -v -timeout 60m ./internal/acceptance

acceptance-full: acceptance acceptance-vm
