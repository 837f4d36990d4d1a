package openapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

func TestTheBasePathIsThatOfTheServers(t *testing.T) {
	paths := "paths: {/p: {get: {%s responses: {'200': {description: ok}}}}}\n"
	for _, row := range []struct{ name, servers, own, option, want string }{
		{"no server is no base path", "", "", "", "/p"},
		{"host and scheme do not count", "servers: [{url: 'https://a.example/v1/'}, {url: 'http://b.example:8080/v1'}]\n", "", "", "/v1/p"},
		{"a relative URL is a path", "servers: [{url: /v2}]\n", "", "", "/v2/p"},
		{"variables have their defaults", "servers: [{url: '{root}/x/{v}', variables: {root: {default: 'http://h:1'}, v: {default: v3}}}]\n", "", "", "/x/v3/p"},
		{"variables have every value, that of the default first", "servers: [{url: 'https://h/{v}/{w}', variables: {v: {default: v2, enum: [v1, v2]}, w: {default: a, enum: [a, b]}}}]\n", "", "", "/v2/a/p /v2/b/p /v1/a/p /v1/b/p"},
		{"a variable of the host is none of the path", "servers: [{url: '{scheme}://{env}.example:{port}/v1', variables: {scheme: {default: https}, env: {default: a, enum: [a, b]}, port: {default: '1'}}}]\n", "", "", "/v1/p"},
		{"a value with a slash is one, wherever it stands", "servers: [{url: 'https://h{root}/v1', variables: {root: {default: /a, enum: [/a, /b]}}}]\n", "", "", "/a/v1/p /b/v1/p"},
		{"each server has its path", "servers: [{url: /v1}, {url: /v2}, {url: 'https://b.example/v1'}]\n", "", "", "/v1/p /v2/p"},
		{"the operation's server wins", "servers: [{url: /v1}]\n", "servers: [{url: /own}],", "", "/own/p"},
		{"the option replaces all", "servers: [{url: /v1}, {url: /v2}]\n", "", "/here/", "/here/p"},
		{"the option can be the root", "servers: [{url: /v1}]\n", "", "/", "/p"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := load(t, document("3.0.3", row.servers+fmt.Sprintf(paths, row.own)), openapi.Options{BasePath: row.option})
			op := c.Operations()[0]
			assert.Equal(t, row.want, strings.Join(append([]string{op.Template}, op.Aliases...), " "))
		})
	}
	for _, row := range []struct{ name, servers string }{
		{"an empty value of a variable between slashes", "servers: [{url: '/a/{v}/b', variables: {v: {default: x, enum: [x, '']}}}]\n"},
		{"more values than anybody serves", "servers: [{url: '/{v}{w}', variables: {v: {default: a, enum: [a, b, c, d, e, f, g, h, i, j, k]}, w: {default: a, enum: [a, b, c, d, e, f, g, h, i, j, k]}}}]\n"},
		{"a default without a scheme", "servers: [{url: '{root}/v1', variables: {root: {default: api.example.com}}}]\n"},
		{"a dot segment", "servers: [{url: '/a/../b'}]\n"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			ps := problems(t, document("3.0.3", row.servers+fmt.Sprintf(paths, "")), openapi.Options{})
			require.Len(t, ps, 1)
			assert.Contains(t, ps[0].Fix, "base_path")
			assert.Contains(t, ps[0].Pointer, "/servers")
		})
	}
}

func TestAVariableThatIsNotDefinedIsRefused(t *testing.T) {
	ps := problems(t, document("3.0.3", "servers: [{url: '/{v}'}]\npaths: {/p: {get: {responses: {'200': {description: ok}}}}}\n"), openapi.Options{})
	require.Len(t, ps, 1)
	assert.Equal(t, "/servers", ps[0].Pointer)
	assert.Contains(t, ps[0].Cause, "undeclared variables")
}

func TestAVariableWithoutValuesIsNoted(t *testing.T) {
	paths := "paths: {/p: {get: {responses: {'200': {description: ok}}}}}\n"
	for _, row := range []struct{ name, servers, option, want string }{
		{"in the path", "servers: [{url: '/{v}', variables: {v: {default: v1}}}]\n", "", "/servers/0/variables/v"},
		{"before everything", "servers: [{url: '{root}/v1', variables: {root: {default: 'http://h'}}}]\n", "", "/servers/0/variables/root"},
		{"not in the host", "servers: [{url: 'https://{h}/v1', variables: {h: {default: a}}}]\n", "", ""},
		{"not with values", "servers: [{url: '/{v}', variables: {v: {default: v1, enum: [v1]}}}]\n", "", ""},
		{"not with a base path", "servers: [{url: '/{v}', variables: {v: {default: v1}}}]\n", "/v1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got string
			for _, note := range load(t, document("3.0.3", row.servers+paths), openapi.Options{BasePath: row.option}).Notes() {
				assert.Contains(t, note.Fix, "base_path")
				got += note.Pointer
			}
			assert.Equal(t, row.want, got)
		})
	}
}

func TestOperationsThatCarryManyActionsAreSeen(t *testing.T) {
	body := "requestBody: {content: {%s: {schema: {type: object, properties: {query: {type: %s}}}}}},"
	for _, row := range []struct{ name, path, method, own, other, want string }{
		{"an ordinary one", "/a", "post", fmt.Sprintf(body, "application/json", "string"), "", ""},
		{"the media type of SOAP 1.2", "/a", "post", fmt.Sprintf(body, "application/soap+xml", "string"), "get", "SOAP"},
		{"the header of SOAP 1.1", "/a", "post", "parameters: [{name: soapaction, in: header, schema: {type: string}}],", "get", "SOAP"},
		{"text/xml alone at a path", "/a", "post", fmt.Sprintf(body, "text/xml", "string"), "", "SOAP"},
		{"text/xml at a path with others", "/a", "post", fmt.Sprintf(body, "text/xml", "string"), "get", ""},
		{"XML that is not SOAP", "/a", "post", fmt.Sprintf(body, "application/xml", "string"), "", ""},
		{"SOAP is posted", "/a", "put", fmt.Sprintf(body, "application/soap+xml", "string"), "", ""},
		{"the media type of GraphQL", "/a", "post", fmt.Sprintf(body, "application/graphql", "string"), "", "GraphQL"},
		{"a query at /graphql", "/v1/GraphQL/", "post", fmt.Sprintf(body, "application/json", "string"), "", "GraphQL"},
		{"a query at /graphql that is no text", "/graphql", "post", fmt.Sprintf(body, "application/json", "integer"), "", ""},
		{"a query in the query", "/graphql", "get", "parameters: [{name: query, in: query, schema: {type: string}}],", "", "GraphQL"},
		{"no query at /graphql", "/graphql", "get", "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			rest := "responses: {'200': {description: ok}}}"
			text := "paths: {" + row.path + ": {" + row.method + ": {" + row.own + rest
			if row.other != "" {
				text += ", " + row.other + ": {" + rest
			}
			for _, op := range load(t, document("3.0.3", text+"}}\n"), openapi.Options{}).Operations() {
				if strings.EqualFold(op.Method, row.method) {
					assert.Equal(t, row.want, op.Protocol)
				}
			}
		})
	}
}
