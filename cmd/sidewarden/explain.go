package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/cmd/sidewarden/explain"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/proxy"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	config, at             string
	request, token, record string
	peer, certificate      string
	audit, output          string
	showValues             bool
}

func explainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain --config FILE --request FILE | --config FILE --token FILE | --record ID [--audit FILE]",
		Short: "Evaluate one request, and print every verdict and why",
		Long: `Evaluate one request by a configuration, and print the verdict of every control with its reason, what it looked at and
the line that sets its mode; then what is done with the request as configured, in shadow and in enforce.

The request is a file in the form of an HTTP/1.1 message: request line, header fields, an empty line, the body. Lines may
end with LF, the target may be a whole URL, and lines before it that start with # or // are skipped. --at is the time of the
request, so that a recorded token can be explained after it expired, --peer the address that it comes from, and --certificate
the client certificate that its connection has, with those that lead to an authority below it. Key sets behind a URL are read once; nothing is sent to the backend, and the token to nobody: what only its issuer can tell is undecided.

With --token, the file holds a token alone, and what every check of tokens says of it is printed, with the first that objects.
That it comes without the DPoP proof or the certificate that it is bound to is no objection to the token.

With --record, print what the audit file has of a decision: ID is its decision id, which a blocked client got in
Sidewarden-Decision-Id, or its record id. Inputs are not recorded. --config tells whether the policy is still the same.

Exits with 1 when the policy objects to the request or the token, in whatever mode, or when there is no such record.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := o.explain(cmd.Context(), cmd.InOrStdin())
			if err != nil {
				return err
			}
			if o.output == "json" {
				err = e.WriteJSON(cmd.OutOrStdout())
			} else {
				err = e.WriteTable(cmd.OutOrStdout())
			}
			if err == nil && e.Objects {
				err = noError{} // the explanation says which control objects
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.config, "config", "c", "", "configuration file")
	f.StringVarP(&o.request, "request", "r", "", "file with the request; - reads standard input")
	f.StringVarP(&o.token, "token", "t", "", "file with a token alone; - reads standard input")
	f.StringVar(&o.at, "at", "", "time of the request, such as 2026-03-01T12:00:00Z; default: now")
	f.StringVar(&o.peer, "peer", "", "address that the request comes from, such as that of the gateway; default: 127.0.0.1")
	f.StringVar(&o.certificate, "certificate", "", "PEM file with the client certificate of the connection; its key is not needed")
	f.StringVar(&o.record, "record", "", "decision id or record id of a recorded decision")
	f.StringVar(&o.audit, "audit", "", "audit file; default: audit.file.path of the configuration")
	f.StringVarP(&o.output, "output", "o", "table", "table or json")
	f.BoolVar(&o.showValues, "show-values", false, "show accounts, clients and other values of the request and its token")
	cmd.MarkFlagsMutuallyExclusive("request", "token", "record")
	cmd.MarkFlagsOneRequired("request", "token", "record")
	cmd.MarkFlagsMutuallyExclusive("record", "at")
	cmd.MarkFlagsMutuallyExclusive("record", "peer")
	cmd.MarkFlagsMutuallyExclusive("token", "peer")
	cmd.MarkFlagsMutuallyExclusive("record", "certificate")
	cmd.MarkFlagsMutuallyExclusive("token", "certificate")
	cmd.MarkFlagsMutuallyExclusive("record", "show-values")
	cmd.MarkFlagsMutuallyExclusive("request", "audit")
	cmd.MarkFlagsMutuallyExclusive("token", "audit")
	return cmd
}

func (o *explainOptions) explain(ctx context.Context, stdin io.Reader) (*explain.Explanation, error) {
	at := time.Now().UTC()
	if o.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, o.at); err != nil {
			return nil, usageError{fmt.Sprintf("--at %q: write a time such as 2026-03-01T12:00:00Z", o.at)}
		}
	}
	var peer netip.Addr
	if o.peer != "" {
		var err error
		if peer, err = netip.ParseAddr(o.peer); err != nil {
			return nil, usageError{fmt.Sprintf("--peer %q: write an address such as 10.1.2.3", o.peer)}
		}
	}
	switch {
	case o.output != "table" && o.output != "json":
		return nil, usageError{fmt.Sprintf("--output %q: use table or json", o.output)}
	case o.record != "":
		return o.explainRecord()
	case o.config == "":
		return nil, usageError{"--request and --token need --config: the policy to explain them by"}
	case o.token != "":
		return o.explainToken(ctx, stdin, at)
	}
	data, err := readInput(o.request, stdin, explain.MaxFile)
	if err != nil {
		return nil, err
	}
	message, err := explain.ReadMessage(data)
	if err != nil {
		return nil, noError{fmt.Sprintf("%s: %v", o.request, err)}
	}
	l, err := o.policyAt(ctx, at)
	if err != nil {
		return nil, err
	}
	options, err := l.proxyOptions()
	if err != nil {
		return nil, err
	}
	chain, err := o.shown(l, &options)
	if err != nil {
		return nil, err
	}
	return explain.Request(ctx, message, explain.Options{
		Config: l.config, Output: l.output, Proxy: options, Bounds: l.bounds(), Peer: peer, Certificates: chain, At: at, ShowValues: o.showValues,
	})
}

// maxCertificates bounds the file of --certificate in bytes.
const maxCertificates = 1 << 20

// shown returns the client certificate of the connection and those that came with it, and
// has the handler judge it by the authorities of the configuration; nil without the flag.
func (o *explainOptions) shown(l *loaded, options *proxy.Options) ([]*x509.Certificate, error) {
	if o.certificate == "" {
		return nil, nil
	}
	asks := l.config.Listen.TLS
	if asks == nil || asks.ClientAuth == config.ClientAuthNone {
		return nil, usageError{"--certificate: no client is asked for a certificate: set listen.tls.client_auth in " + o.config + ", or leave the flag out"}
	}
	data, err := readFile(o.certificate, maxCertificates)
	if err != nil {
		return nil, err
	}
	chain, err := certificatesIn(data)
	if err == nil && len(data) > maxCertificates {
		err = fmt.Errorf("the file has more than %d bytes", maxCertificates)
	}
	if err != nil {
		return nil, noError{fmt.Sprintf("%s: %v; give a PEM file that begins with the certificate of the client", o.certificate, err)}
	}
	var keys proxy.ListenKeys
	if asks.ClientCAFile != "" {
		f := keyFiles{config: l.config, digest: sha256.New()}
		keys.ClientCAs = f.authorities("listen.tls.client_ca_file", asks.ClientCAFile)
		if err := errors.Join(f.problems...); err != nil {
			return nil, problems(o.config, err)
		}
	}
	options.Listen = proxy.NewListenTLS(keys)
	return chain, nil
}

// explainToken explains the token of a file.
func (o *explainOptions) explainToken(ctx context.Context, stdin io.Reader, at time.Time) (*explain.Explanation, error) {
	data, err := readInput(o.token, stdin, explain.MaxToken)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(data))
	if text == "" || len(data) > explain.MaxToken {
		return nil, noError{fmt.Sprintf("%s: it holds no token, or more than %d bytes: write the token alone into it", o.token, explain.MaxToken)}
	}
	l, err := o.policyAt(ctx, at)
	if err != nil {
		return nil, err
	}
	if kind := l.config.Credential.Kind; kind != config.KindClientToken && kind != config.KindGatewayToken {
		return nil, noError{fmt.Sprintf("%s: no token arrives with credential.kind %s; explain a whole request with --request", o.config, kind)}
	}
	return explain.Token(ctx, text, explain.Options{Config: l.config, Output: l.output, At: at, ShowValues: o.showValues}), nil
}

// policyAt loads the configuration with its key sets, as it is at a time.
func (o *explainOptions) policyAt(ctx context.Context, at time.Time) (*loaded, error) {
	l, err := loadInto(o.config, compile.Input{Now: func() time.Time { return at }, Offline: true}, zap.NewNop())
	if err != nil {
		return nil, err
	}
	readKeys(ctx, l)
	return l, nil
}

// keysTime bounds the reading of all key sets behind URLs.
const keysTime = 15 * time.Second

// readKeys reads the key sets that are behind URLs, once. What went wrong is in
// their stats, and becomes a note.
func readKeys(ctx context.Context, l *loaded) {
	ctx, cancel := context.WithTimeout(ctx, keysTime)
	defer cancel()
	for _, keys := range l.output.Parts.KeySets() {
		if !keys.Ready() {
			_, _ = keys.Refresh(ctx) // see above
		}
	}
}

// readInput reads a file, or standard input for -, up to a byte more than a bound.
func readInput(path string, stdin io.Reader, bound int64) ([]byte, error) {
	if path != "-" {
		return readFile(path, bound)
	}
	data, err := io.ReadAll(io.LimitReader(stdin, bound+1))
	if err != nil {
		return nil, noError{fmt.Sprintf("%s: %v", path, err)}
	}
	return data, nil
}

// readFile reads a file, up to a byte more than a bound.
func readFile(path string, bound int64) ([]byte, error) {
	data, err := compile.ReadUpTo(path, bound)
	if err != nil {
		return nil, noError{fmt.Sprintf("%s: %v", path, err)}
	}
	return data, nil
}

// explainRecord tells a recorded decision, and whether the policy is still the one
// that decided.
func (o *explainOptions) explainRecord() (*explain.Explanation, error) {
	file, digest := o.audit, ""
	if o.config != "" {
		l, err := load(o.config, nil, zap.NewNop())
		if err != nil {
			return nil, err
		}
		digest = l.output.Policy.Digest
		if file == "" {
			file = l.config.Audit.File.Path
		}
	}
	if file == "" {
		return nil, usageError{"--record needs --audit, or a --config with audit.file.path: the file to look into"}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, noError{fmt.Sprintf("the audit file: %v", err)}
	}
	defer func() { _ = f.Close() }() // it was only read
	e, err := explain.Record(f, o.record, digest)
	if err != nil {
		return nil, noError{fmt.Sprintf("%s: %v", file, err)}
	}
	return e, nil
}
