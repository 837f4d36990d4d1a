package openapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
	"github.com/sidewarden/sidewarden/policy/payload"
)

// orderSchema is what the measures of speed post: 15 properties, three patterns, and
// lines of their own schema.
const orderSchema = `
    Order:
      type: object
      additionalProperties: false
      required: [accountId, reference, currency, requested, lines, site, contact]
      properties:
        accountId: {type: string, pattern: '^acct-[0-9]{1,12}$'}
        reference: {type: string, pattern: '^PO-[0-9]{4}-[0-9]{4}$'}
        currency: {type: string, enum: [EUR, USD, GBP, CHF]}
        requested: {type: string, format: date}
        created: {type: string, format: date-time}
        priority: {type: integer, minimum: 1, maximum: 5}
        express: {type: boolean}
        notify: {type: string, format: email}
        callback: {type: string, format: uri, maxLength: 200}
        channel: {type: string, enum: [web, phone, partner]}
        note: {type: string, maxLength: 400}
        total: {type: number, minimum: 0, multipleOf: 0.01}
        site: {$ref: '#/components/schemas/Site'}
        contact: {$ref: '#/components/schemas/Contact'}
        lines: {type: array, minItems: 1, items: {$ref: '#/components/schemas/Line'}}
    Site:
      type: object
      required: [city]
      properties:
        city: {type: string, maxLength: 80}
        street: {type: string, maxLength: 80}
        floor: {type: integer, format: int32}
    Contact:
      type: object
      required: [name]
      properties: {name: {type: string, maxLength: 80}, phone: {type: string, maxLength: 30}}
    Line:
      type: object
      additionalProperties: false
      required: [product, quantity]
      properties:
        product: {type: string, enum: [port, circuit, router, support]}
        quantity: {type: integer, minimum: 1, maximum: 1000}
        sku: {type: string, pattern: '^[A-Z]{3}-[0-9]{5}$'}
        price: {type: number, minimum: 0}
        note: {type: string, maxLength: 100}
`

// orders is a contract of so many operations, the orders among them.
func orders(version string, operations int) string {
	var b strings.Builder
	b.WriteString("paths:\n")
	b.WriteString(`  /v1/orders:
    post:
      operationId: createOrder
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {'201': {description: made}}
  /v1/accounts/{accountId}/orders:
    get:
      operationId: listOrders
      parameters:
        - {name: accountId, in: path, required: true, schema: {type: string, pattern: '^acct-[0-9]{1,12}$'}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
      responses: {'200': {description: ok}}
`)
	for i := range operations - 2 {
		fmt.Fprintf(&b, "  /v1/things%d/{thingId}/parts/{partId}:\n    get:\n      operationId: getPart%d\n      parameters:\n", i, i)
		for _, name := range []string{"thingId", "partId"} {
			fmt.Fprintf(&b, "        - {name: %s, in: path, required: true, schema: {type: string}}\n", name)
		}
		b.WriteString("      responses: {'200': {description: ok}}\n")
	}
	return document(version, b.String()+"components:\n  schemas:"+orderSchema)
}

const line = `{"product":"circuit","quantity":12,"sku":"NET-00417","price":129.9,"note":"rack 7, second floor, no key"}`

// orderOf returns an order with so many lines.
func orderOf(lines int) []byte {
	return []byte(`{"accountId":"acct-4711","reference":"PO-2026-1107","currency":"EUR","requested":"2026-12-01","created":"2026-11-28T12:00:00Z",` +
		`"priority":2,"express":true,"notify":"orders@example.net","callback":"https://shop.example.net/hooks/4711","channel":"partner",` +
		`"note":"Second delivery of the batch, the first was sent back. Ring twice, the bell at the gate is broken; leave nothing outside.","total":1558.8,` +
		`"site":{"city":"Munich","street":"Marienplatz 8","floor":2},"contact":{"name":"A. Example","phone":"+49 89 1234567"},` +
		`"lines":[` + strings.TrimSuffix(strings.Repeat(line+",", lines), ",") + `]}`)
}

// orderOfSize returns an order of at most so many bytes, and nearly as many.
func orderOfSize(size int) []byte { return orderOf((size - len(orderOf(0))) / (len(line) + 1)) }

// served is a contract as a request meets it: router, reader of bodies and judge.
type served struct{ matcher policy.Matcher }

// serve loads a contract, with limits that let a body of 2 MiB through.
func serve(t testing.TB, contract string) served {
	t.Helper()
	var all []*policy.Operation
	for _, op := range load(t, contract, openapi.Options{}).Operations() {
		o := payload.Options{MaxBytes: 2 << 20, MaxDepth: 64, Schema: op.Judge()}
		if op.BodyDeclared {
			declared, err := payload.Declare(op.RequestMediaTypes...)
			require.NoError(t, err)
			o.Declared = declared
		}
		in, err := payload.NewInspector(o)
		require.NoError(t, err)
		all = append(all, &policy.Operation{ID: op.ID, Method: op.Method, Template: op.Template, In: in})
	}
	matcher, err := openapi.NewMatcher(all)
	require.NoError(t, err)
	return served{matcher}
}

// call is one request that is judged again and again.
type call struct {
	method, path, query string
	header              map[string][]string
	body                []byte
}

func postOrder(body []byte) call {
	return call{method: "POST", path: "/v1/orders", header: map[string][]string{"Content-Type": {"application/json"}}, body: body}
}

func listOrders() call {
	return call{method: "GET", path: "/v1/accounts/acct-4711/orders", query: "limit=20"}
}

// judge routes and validates a request, from the path to the last byte of the body. It
// uses the memory of r, which the proxy has anyway.
func (s served) judge(r *policy.Request, in *call) policy.Body {
	*r = policy.Request{Method: in.method, Path: in.path, RawQuery: in.query, Query: policy.ParseQuery(in.query), Header: in.header}
	r.Match = s.matcher.Match(r)
	if r.Match.Operation == nil {
		return policy.Body{}
	}
	return r.Match.Operation.In.Inspect(r, in.body, int64(len(in.body)), true)
}

func TestOrdersAreJudged(t *testing.T) {
	for _, version := range []string{"3.0.3", "3.1.0"} {
		s := serve(t, orders(version, 61))
		var r policy.Request
		said := func(in call) string { return said(s.judge(&r, &in).Schema) }
		require.InDelta(t, 1024, len(orderOf(4)), 110, "an order of four lines has 1 KB")
		require.Equal(t, "permit", said(postOrder(orderOf(4))), version)
		require.Equal(t, "permit", said(postOrder(orderOfSize(1<<20))), version)
		require.Equal(t, "permit", said(listOrders()), version)
		require.Equal(t, "schema-mismatch /lines/*/sku pattern", said(postOrder([]byte(strings.Replace(string(orderOf(4)), "NET", "net", 1)))), version)
		require.Equal(t, "parameter-invalid query.limit maximum", said(call{method: "GET", path: "/v1/accounts/acct-4711/orders", query: "limit=200"}), version)
		require.Equal(t, "parameter-invalid path.accountId pattern", said(call{method: "GET", path: "/v1/accounts/4711/orders"}), version)
	}
}
