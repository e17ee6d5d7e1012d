# The project's commands. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
TOOL := go tool -modfile=tools/go.mod

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

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
	@printf '// Package openapi holds the OpenAPI description of the REST interface.\npackage openapi\n\nimport _ "embed"\n\n// SwaggerGzip is an OpenAPI 2 document in JSON, compressed with gzip.\n//\n//go:embed gatehouse.swagger.json.gz\nvar SwaggerGzip []byte\n' > gen/openapi/openapi.go
	@gofmt -w gen

.PHONY: proto-check
proto-check: proto-deps ## lint the protos and compare them with the last commit
	@$(TOOL) buf lint
	@if git cat-file -e HEAD:proto 2>/dev/null; then $(TOOL) buf build -o .build/now.binpb; \
	  rm -rf .build/before && mkdir -p .build/before && git archive HEAD proto buf.yaml | tar -x -C .build/before && mkdir -p .build/before/.build && cp -r .build/proto-deps .build/before/.build/ && \
	  $(TOOL) buf breaking --against .build/before; fi
