# The project's commands. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
TOOL := go tool -modfile=tools/go.mod

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

.PHONY: build
build: ## build the stripped binary ./gatehouse
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o gatehouse ./cmd/gatehouse

.PHONY: test
test: ## run every test on SQLite and on PostgreSQL
	go test ./...
	DB=postgres go test ./...

.PHONY: race
race: ## run the tests with the race detector, which need not look into SQLite: each connection has a copy of its own
	go test -race -gcflags='github.com/ncruces/go-sqlite3-wasm/...=-race=false' -vet=off -timeout 20m ./cmd/... ./internal/... ./test

.PHONY: rehearse
rehearse: ## run the tests with every transaction run twice, as after a lost race
	REHEARSE=1 go test -timeout 30m ./internal/... ./test
	REHEARSE=1 DB=postgres go test -timeout 30m ./internal/... ./test

REMOVALS := -count=1 ./test -run '^TestRemovedFactorIsRefusedEverywhere$$'

.PHONY: removal-rounds
removal-rounds: ## remove a factor 100,000 times on one node of PostgreSQL, and try it on the other
	DB=postgres go test -v -timeout 2h $(REMOVALS) -removals 100000

.PHONY: removal-sabotage
removal-sabotage: ## the same on a build that remembers policies for a second, which must fail
	@mkdir -p .build; if DB=postgres go test -tags sabotage_policycache $(REMOVALS) >.build/sabotage.log; then echo 'the test did not notice'; exit 1; fi; \
	grep 'accepted on the other' .build/sabotage.log || { cat .build/sabotage.log; exit 1; }

.PHONY: proof
proof: ## hold the program to every promise that has a test, in its short form, on both databases
	go run ./test/proof

.PHONY: timing
timing: ## measure 1,000 times how long it takes to be refused with a name that exists, and with one that does not
	go test -v -count=1 -timeout 2h ./test -run '^TestTimingTellsNothing$$' -timing 1000

.PHONY: timing-sabotage
timing-sabotage: ## count the work on a build that returns early where there is no password, which must fail
	@mkdir -p .build; if go test -count=1 -tags sabotage_earlyreturn ./test -run '^TestNobodyIsTold$$' >.build/sabotage.log; then echo 'the test did not notice'; exit 1; fi; \
	grep 'tells nobody' .build/sabotage.log || { cat .build/sabotage.log; exit 1; }

.PHONY: audit
audit: ## change a database in 10,000 random ways, all of which must be found
	go test -v -count=1 -timeout 2h ./test -run '^TestTampering$$' -tampers 10000

.PHONY: audit-sabotage
audit-sabotage: ## the same without the head of the log, and every call on a log that loses events: both must fail
	@broken() { if go test -count=1 ./test -run "^$$1\$$" "$$2" >.build/sabotage.log; then echo "$$1 did not notice"; exit 1; fi; \
		grep -m 1 "$$3" .build/sabotage.log || { cat .build/sabotage.log; exit 1; }; }; \
	mkdir -p .build; \
	broken TestTampering -headless 'nobody noticed'; \
	broken TestNothingWithoutItsEvent -silent 'the state is another'

CHAOS := go test ./test/chaos -count=1 -v -timeout 3h -run

.PHONY: chaos
chaos: ## kill, pause, cut off, slow down and stop servers and databases for about an hour and a half
	$(CHAOS) '^TestKilledNode$$' -kills 1000
	DB=postgres $(CHAOS) '^TestKilledNode$$' -kills 1000
	DB=postgres $(CHAOS) '^TestKilledPostgres$$' -crashes 100
	DB=postgres $(CHAOS) '^TestPromotedStandby$$' -failovers 10
	DB=postgres $(CHAOS) '^(TestDatabaseAway|TestSlowDatabase|TestFullDisk)$$' -long
	DB=postgres $(CHAOS) '^TestRemovedFactorEverywhere$$' -removals 20000
	DB=postgres $(CHAOS) '^(TestEndsEverywhere|TestReadYourWrites|TestOnce|TestLostNode)$$' -rounds 100
	DB=postgres $(CHAOS) '^TestHistories$$' -histories 200 -calls 2000
	$(CHAOS) '^TestStopUnderLoad$$' -restarts 100
	$(CHAOS) '^TestRotatedKeys$$' -long -sealed 10000
	DB=postgres $(CHAOS) '^TestRotatedKeys$$' -sealed 10000
	$(CHAOS) '^TestStart$$' -starts 100 -events 1000000

.PHONY: restore
restore: ## lose a database of 1 GB, and restore the backup that was made under load
	$(CHAOS) '^TestRestore$$' -megabytes 1000
	DB=postgres $(CHAOS) '^TestRestore$$' -megabytes 1000

FROM ?= HEAD~1

.PHONY: upgrade
upgrade: ## replace the nodes of the commit FROM by those of this one under load, let them meet a newer schema, and go back
	DB=postgres $(CHAOS) '^TestRollingUpgrade$$' -from $(FROM) -each 5000

.PHONY: ha
ha: ## kill, remove and silence the primary of a cluster under Patroni (Debian: postgresql patroni etcd-server haproxy)
	$(CHAOS) '^TestHighAvailability$$' -ha 5

.PHONY: ha-sabotage
ha-sabotage: ## the same with standbys that no commit waits for, which must fail
	@mkdir -p .build; if $(CHAOS) '^TestHighAvailability$$' -ha 1 -sabotage async >.build/sabotage.log; then echo 'the test did not notice'; exit 1; fi; \
	grep -m 1 'is there 0 times\|w1-' .build/sabotage.log || { cat .build/sabotage.log; exit 1; }

.PHONY: chaos-sabotage
chaos-sabotage: ## the short forms of the same on builds and databases that are broken on purpose: each must fail
	@broken() { for test in $${@:2}; do \
		if DB=postgres go test ./test/chaos -count=1 -run "^$$test\$$" -sabotage "$$1" >.build/sabotage.log; then echo "$$test did not notice $$1"; exit 1; fi; \
		grep -m 1 '_test.go' .build/sabotage.log || { cat .build/sabotage.log; exit 1; }; done; }; \
	mkdir -p .build; \
	broken ackfirst TestKilledNode TestFullDisk; \
	broken async TestKilledPostgres TestPromotedStandby; \
	broken lag TestEndsEverywhere TestReadYourWrites TestHistories; \
	broken policycache TestRemovedFactorEverywhere; \
	broken nolock TestOnce; \
	broken deaf TestDatabaseAway; \
	broken impatient TestSlowDatabase; \
	broken quorum TestLostNode; \
	broken untold TestStopUnderLoad; \
	broken forget TestRotatedKeys; \
	broken stale TestRestore; \
	broken rename TestRollingUpgrade

# The program runs on the first core, and who calls it on the others: it takes two.
OTHER_CORES = taskset -c 1-$(shell echo $$(($$(nproc) - 1)))

.PHONY: overload
overload: build ## fill the program with connections, calls and logins on one core in a control group of 256 MB, and hold what comes of it against the limits
	$(OTHER_CORES) go test -count=1 -v -timeout 30m ./test -run '^TestOverload$$' -overload "$$PWD/gatehouse"

.PHONY: soak
soak: build ## the same for half an hour
	$(OTHER_CORES) go test -count=1 -v -timeout 1h ./test -run '^TestOverload$$' -overload "$$PWD/gatehouse" -overload-times 8

.PHONY: overload-sabotage
overload-sabotage: ## the short tests of overload on a build that slow clients hold up, which must fail
	@mkdir -p .build; for t in './test TestConnectionsAreBounded' './internal/server TestSlowCallsHaveNoTurn'; do set -- $$t; \
	if go test -count=1 -tags sabotage_overload "$$1" -run "^$$2$$" >.build/sabotage.log; then echo "$$2 did not notice"; exit 1; fi; \
	grep -E 'connections live|an honest call' .build/sabotage.log || { cat .build/sabotage.log; exit 1; }; done

.PHONY: mutation
mutation: ## make small mistakes in the rooms that decide who is let in, and count those that a test notices
	go run ./test/mutation

.PHONY: canaries
canaries: ## search for the secrets of every test: in databases, backups, dumps, PostgreSQL's files
	go test -count=1 -timeout 1h ./test -canaries
	DB=postgres go test -count=1 -timeout 1h ./test -canaries

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## try every fuzz target for FUZZTIME each
	@grep -rl '^func Fuzz' --include='*_test.go' internal | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$$file"); do \
			echo "$$target" && go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

.PHONY: check
check: format vet lint generated proto-check ## everything that must be clean before a commit

.PHONY: format
format:
	@test -z "$$(gofmt -l cmd internal test)" || { echo 'run gofmt -w on:'; gofmt -l cmd internal test; exit 1; }

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: ## run the linters and our own analyzers
	go build -C tools -o ../.build/analyzers ./analyzers
	go vet -vettool=.build/analyzers ./cmd/... ./internal/...
	go tool -modfile=tools/lint/go.mod golangci-lint run --allow-parallel-runners

.PHONY: generated
generated: ## fail if make generate would change something
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code --stat -- gen docs/coverage.md || { echo 'gen/ or docs/coverage.md is stale: commit what make generate wrote'; exit 1; }

.PHONY: bench
bench: ## measure against the floor of this machine and the baseline
	go run ./test/bench

.PHONY: bench-report
bench-report: ## drive the real program with many clients, and write docs/performance.md
	go run ./test/load -people 1000000 -page docs/performance.md

.PHONY: vulnerabilities
vulnerabilities: ## look for known vulnerabilities, where their database can be reached
	@curl -sfI --max-time 10 https://vuln.go.dev/index/db.json >/dev/null || { echo 'vuln.go.dev cannot be reached: not checked'; exit 0; }; \
	go tool -modfile=tools/lint/go.mod govulncheck ./...

.PHONY: proto-deps
proto-deps: ## unpack the protos of other projects that ours import
	@rm -rf .build/proto-deps && mkdir -p .build/proto-deps/google/api .build/proto-deps/buf/validate
	@dir() { go mod download -json "$$1" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p'; }; \
	install -m 644 "$$(dir github.com/grpc-ecosystem/grpc-gateway@v1.16.0)"/third_party/googleapis/google/api/{annotations,http}.proto .build/proto-deps/google/api/; \
	install -m 644 "$$(dir github.com/bufbuild/protovalidate@v1.2.2)"/proto/protovalidate/buf/validate/validate.proto .build/proto-deps/buf/validate/

.PHONY: generate
generate: proto-deps ## write gen/ and the generated pages of docs/
	@$(TOOL) buf generate
	@$(TOOL) buf generate --template buf.openapi.yaml
	@mkdir -p gen/openapi && gzip -n -9 -c .build/openapi/gatehouse.swagger.json > gen/openapi/gatehouse.swagger.json.gz
	@printf '// Code generated by make generate. DO NOT EDIT.\n\n// Package openapi holds the OpenAPI description of the services.\npackage openapi\n\nimport _ "embed"\n\n// SwaggerGzip is an OpenAPI 2 document in JSON, compressed with gzip.\n//\n//go:embed gatehouse.swagger.json.gz\nvar SwaggerGzip []byte\n' > gen/openapi/openapi.go
	@gofmt -w gen
	@$(MAKE) --no-print-directory coverage-page

.PHONY: coverage-page
coverage-page: ## write docs/coverage.md: which RPCs answer
	@go test -count=1 -run '^TestCoverage$$' ./internal/server -update

.PHONY: proto-lint
proto-lint: proto-deps ## lint the protos
	@$(TOOL) buf lint

.PHONY: proto-breaking
proto-breaking: proto-deps ## compare the protos with the last commit
	@if ! git cat-file -e HEAD:proto 2>/dev/null; then echo 'proto-breaking: the last commit has no protos'; exit 0; fi; \
	rm -rf .build/before && mkdir -p .build/before/.build; \
	git archive HEAD proto buf.yaml | tar -x -C .build/before; \
	cp -r .build/proto-deps .build/before/.build/; \
	$(TOOL) buf breaking --against .build/before

.PHONY: proto-check
proto-check: proto-lint proto-breaking ## lint the protos and compare them with the last commit
