// Package openapi holds the OpenAPI description of the HTTP API, generated from
// the .proto files beside it like all code of this floor: change those, then run
// `go generate ./proto/...`.
package openapi

import _ "embed"

//go:generate sh -c "cd ../.. && rm -rf .deps && go run -modfile=.tools/go.mod ./.tools/printdeps.go .deps/proto && go tool -modfile=.tools/go.mod buf generate --template proto/buf.gen.yaml"

// JSON is the OpenAPI 2.0 document.
//
//go:embed tashika.swagger.json
var JSON []byte
