package audit_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// One account has one pseudonym wherever it shows up, and nobody without the key
// can find out which account it is.
func ExamplePseudonymizer() {
	p, err := audit.NewPseudonymizer([]byte("sixteen or more random bytes"), "1", "naas-ports")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(p.Of(audit.TypeAccount, "ACCT-100200"))
	// Output: p1_7k7csa2y2nnhe4sybxruds4raa
}

// printer is a consumer of records.
type printer struct{}

func (printer) Consume(rec *audit.Record) {
	fmt.Println(rec.Disposition, rec.Client.Status, rec.Auth.Outcome, rec.HTTP.Method) //nolint:forbidigo // the output of an example
}

// A recorder observes a request; consumers see its record at once, and the log
// writes the line.
func ExampleRecorder() {
	pseudonyms, err := audit.NewPseudonymizer(nil, "", "naas-ports")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	log := audit.NewLog(io.Discard, 0)
	recorder := audit.NewRecorder(audit.Options{
		Product: "naas-ports", Pseudonyms: pseudonyms, Log: log, Consumers: []audit.Consumer{printer{}},
	})
	recorder.Observe(
		&policy.Request{Method: "GET", Path: "/v1/orders"},
		policy.Decision{},
		policy.Outcome{Disposition: policy.Allowed, Status: 200},
	)
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // a log that is asked to stop still writes what it took
	if err := log.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output: allowed 200 error GET
}
