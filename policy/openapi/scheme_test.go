package openapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

func TestSchemesAreThoseOfTheDocument(t *testing.T) {
	const paths = "paths: {/p: {get: {responses: {'200': {description: ok}}}}}\n"
	assert.Empty(t, load(t, document("3.0.3", paths), openapi.Options{}).Schemes())
	const components = `components:
  securitySchemes:
    token: {type: http, scheme: Bearer}
    key: {type: apiKey, in: header, name: X-Key}
    asked: {type: apiKey, in: query, name: key}
`
	assert.Equal(t, []openapi.Scheme{
		{Name: "asked", Type: openapi.APIKeyScheme, In: "query", Field: "key"},
		{Name: "key", Type: openapi.APIKeyScheme, In: "header", Field: "X-Key"},
		{Name: "token", Type: "http", Auth: "bearer"},
	}, load(t, document("3.0.3", components+paths), openapi.Options{}).Schemes())
}
