package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidewarden/sidewarden/cmd/sidewarden/starter"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// initOptions are the flags of init: paths as they were given.
type initOptions struct {
	starter.Options
	out   string
	force bool
}

func initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init --spec FILE",
		Short: "Write a commented configuration for a contract",
		Long: `Write a commented configuration for an OpenAPI contract: in shadow, with the scopes that the contract asks for and
the places of accounts that its names suggest, and with API keys where it asks for nothing else. What was guessed is marked
with "guess:", what somebody has to decide with "decide:".

What neither the contract nor a flag says is written as a reference to an environment variable, and named on standard
error: 'sidewarden check' refuses the file until each is set or replaced.

Exits with 1 when the contract cannot be used, or when the file exists and --force is not given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return initialise(o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Spec, "spec", "", "OpenAPI 3 document, YAML or JSON")
	f.StringVar(&o.Root, "root", "", "folder that references of the contract stay in; default: the contract's own")
	f.StringVar(&o.BasePath, "base-path", "", "path before the paths of the contract; default: what its servers say")
	f.StringVar(&o.Product, "product", "", "name of the API; default: the name of the contract's file")
	f.StringVar(&o.Issuer, "issuer", "", "exact iss of the access tokens")
	f.StringVar(&o.JWKSFile, "jwks-file", "", "file with the issuer's key set")
	f.StringVar(&o.JWKSURL, "jwks-url", "", "URL of the issuer's key set")
	f.StringArrayVar(&o.Audiences, "audience", nil, "value of aud that names this API; may be repeated")
	f.StringVar(&o.Backend, "backend", "", "URL of what stands behind the sidecar")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the data listener")
	f.StringVar(&o.Admin, "admin", "", "address of the admin listener; default: that of the configuration")
	f.StringVarP(&o.out, "output", "o", "", "file to write; default: standard output")
	f.BoolVar(&o.force, "force", false, "replace the file if it exists")
	cmd.MarkFlagsMutuallyExclusive("jwks-file", "jwks-url")
	if err := cmd.MarkFlagRequired("spec"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func initialise(o initOptions, stdout, stderr io.Writer) error {
	contract, err := openapi.Load(openapi.Options{File: o.Spec, Root: o.Root, BasePath: o.BasePath})
	if err != nil {
		return noError{fmt.Sprintf("%s cannot be used:\n%v", o.Spec, err)}
	}
	if o.Product == "" {
		o.Product = productOf(o.Spec)
	}
	written := o.Options
	for _, path := range []*string{&written.Spec, &written.Root, &written.JWKSFile} {
		if *path, err = seenFrom(o.out, *path); err != nil {
			return err
		}
	}
	draft, err := starter.New(contract, written)
	if err != nil {
		return usageError{err.Error()}
	}
	if err := readsBack(draft); err != nil {
		return usageError{"a flag does not fit into a configuration:\n" + err.Error()}
	}
	if o.out == "" {
		if _, err := stdout.Write(draft.Text); err != nil {
			return err
		}
	} else if err := create(o.out, draft.Text, o.force); err != nil {
		return err
	}
	for _, name := range draft.Asked {
		fmt.Fprintf(stderr, "not known: set %s, or write the value in its place\n", name)
	}
	if o.out != "" {
		fmt.Fprintf(stderr, "next: sidewarden check --config %s\n", o.out)
	}
	return nil
}

// productOf returns the name of a file as a product name.
func productOf(file string) string {
	name := strings.ToLower(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	name = strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(name, "-"), "-")
	if name = strings.TrimRight(name[:min(len(name), 63)], "-"); name == "" {
		return "api"
	}
	return name
}

// seenFrom returns a path as it is seen from the folder of the file that will hold
// it.
func seenFrom(file, path string) (string, error) {
	if file == "" || path == "" || filepath.IsAbs(path) {
		return filepath.ToSlash(path), nil
	}
	from, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	seen, err := filepath.Rel(from, to)
	return filepath.ToSlash(seen), err
}

// readsBack reports what is wrong with a draft in which everything is known that
// was asked for. It can only be a flag.
func readsBack(d starter.Draft) error {
	_, err := config.Parse("the file", d.Text, config.Env{
		LookupEnv: func(string) (string, bool) { return "https://set.example.net", true },
	})
	return err
}

// create writes a file that must not exist, unless it may be replaced.
func create(path string, text []byte, replace bool) error {
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if replace {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, mode, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return noError{fmt.Sprintf("%s exists: choose another file, or replace it with --force", path)}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
