# make check       what CI runs before the acceptance tests
# make acceptance  real parts in container guests; needs root on Debian, says what it installs
# make acceptance-vm    a guest with a kernel and a reboot of its own; needs the same
# make acceptance-full  both, and what takes too long for every change
# make bench-provision  40 resources by boxdoctor and by Ansible on the same kind of guest; root on Debian, a quarter of an hour
.PHONY: check test lint shellcheck format cross acceptance acceptance-vm acceptance-full vm-packages demo update fuzz bench-provision

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
	shellcheck -s sh $$(find fixes provision internal cmd -path internal/acceptance -prune -o -name '*.sh' -print) internal/acceptance/lab/sick/*
	shellcheck -x -P SCRIPTDIR -S warning internal/acceptance/lab/lab.sh internal/acceptance/lab/record.sh $$(find internal/acceptance -name '*.sh' ! -path '*/lab/*') internal/acceptance/hostlab/VBoxManage internal/acceptance/hostlab/wine .ci/run

# every platform that a release is built for, without cgo
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
cross:
	@for p in $(PLATFORMS); do echo "build $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -trimpath -o /dev/null . || exit 1; done

# every fuzzer for FUZZTIME; go test alone runs their seeds and the committed corpora
FUZZTIME ?= 1m
fuzz:
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "fuzz $$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

# rewrites goldens and generated documents; read the diff
update:
	go test ./internal/report ./internal/vagrantfile ./cmd ./fixes ./internal/probe ./checks . -update

SHORT = -short
acceptance:
	@echo "This needs root on Debian. It installs these packages:"
	@sed 's/#.*//' internal/acceptance/lab/packages
	internal/acceptance/lab/lab.sh install
	go test -tags acceptance $(SHORT) -count=1 -v -timeout 30m ./internal/acceptance
	go test -tags acceptance -count=1 -run TestAgainstVagrant -v ./internal/vagrantfile

# the founding case on a kernel of its own: what .ci/run has time for
acceptance-vm: vm-packages
	internal/acceptance/vm/vm.sh image founding
	go test -tags acceptance_vm -short -count=1 -v -timeout 45m ./internal/acceptance

# the host's side on the real VBoxManage of Debian sid and the real vagrant, and the Windows program under the Wine of sid;
# root on Debian 12, installs mmdebstrap and vagrant, keeps 2.4 GB in /var/cache/boxdoctor-lab/host
acceptance-host:
	internal/acceptance/hostlab/hostlab.sh
	go test -tags acceptance_host -count=1 -v -timeout 20m -run 'TestHost|TestUp' ./internal/acceptance

# everything; about an hour and a half
acceptance-full: SHORT =
acceptance-full: acceptance acceptance-host vm-packages
	internal/acceptance/vm/vm.sh image founding current stock
	go test -tags acceptance_vm -count=1 -v -timeout 150m ./internal/acceptance
	go test -tags 'acceptance acceptance_full' -count=1 -run TestLogAgentFailures -v -timeout 75m ./internal/acceptance

bench-provision:
	internal/acceptance/bench/provision.sh 3 3

vm-packages:
	@echo "The VM lab needs root on Debian 12. It installs these packages and those of the container lab:"
	@sed 's/#.*//' internal/acceptance/vm/packages
	internal/acceptance/vm/vm.sh install
