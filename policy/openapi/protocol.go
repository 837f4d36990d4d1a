package openapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
)

// protocolOf names the protocol that carries many actions over one operation, by
// what the contract shows of it; "" if it shows nothing.
func protocolOf(op *Operation, item *openapi3.PathItem, o *openapi3.Operation) string {
	switch {
	case looksLikeGraphQL(op, o):
		return "GraphQL"
	case looksLikeSOAP(op, item):
		return "SOAP"
	}
	return ""
}

// looksLikeSOAP reports whether a POST has what SOAP requires of one: the media
// type of SOAP 1.2 (RFC 3902), the header field of SOAP 1.1 (section 6.1.1), or the
// media type of SOAP 1.1 alone at a path that has nothing else.
func looksLikeSOAP(op *Operation, item *openapi3.PathItem) bool {
	if op.Method != http.MethodPost {
		return false
	}
	if slices.Contains(op.RequestMediaTypes, "application/soap+xml") ||
		slices.ContainsFunc(op.HeaderParams, func(name string) bool { return strings.EqualFold(name, "SOAPAction") }) {
		return true
	}
	return slices.Equal(op.RequestMediaTypes, []string{"text/xml"}) && len(item.Operations()) == 1
}

// looksLikeGraphQL reports whether an operation takes documents of GraphQL: by its
// media type, or at a path that ends in /graphql as a string named query in a JSON
// body or in the query (GraphQL over HTTP, 5.3 and 5.4).
func looksLikeGraphQL(op *Operation, o *openapi3.Operation) bool {
	if slices.Contains(op.RequestMediaTypes, "application/graphql") {
		return true
	}
	if !strings.HasSuffix(strings.ToLower(strings.TrimSuffix(op.Template, "/")), "/graphql") {
		return false
	}
	if slices.Contains(op.QueryParams, "query") {
		return true
	}
	if o.RequestBody == nil {
		return false
	}
	for key, content := range o.RequestBody.Value.Content {
		if !policy.IsJSON(mediaName(key)) || content == nil || content.Schema == nil {
			continue
		}
		if query := content.Schema.Value.Properties["query"]; query != nil && query.Value.Type.Is("string") {
			return true
		}
	}
	return false
}
