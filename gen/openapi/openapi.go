// Package openapi holds the OpenAPI description of the REST interface.
package openapi

import _ "embed"

// SwaggerGzip is an OpenAPI 2 document in JSON, compressed with gzip.
//
//go:embed gatehouse.swagger.json.gz
var SwaggerGzip []byte
