package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token"
)

// loaded is a configuration with the policy that it makes.
type loaded struct {
	config *config.Config
	output *compile.Output
}

// load reads a configuration and compiles it. An error holds every problem, one
// per line.
func load(path string, previous *compile.Parts, log *zap.Logger) (*loaded, error) {
	return loadInto(path, compile.Input{Now: time.Now, Previous: previous}, log)
}

// loadInto is load with what is to be made of the configuration.
func loadInto(path string, in compile.Input, log *zap.Logger) (*loaded, error) {
	cfg, err := config.Load(path, config.Env{})
	if err != nil {
		return nil, problems(path, err)
	}
	in.Config = cfg
	in.OnRefresh = func(issuer string, result token.RefreshResult, err error) {
		if err != nil {
			log.Warn("a key set could not be read", zap.String("issuer", issuer), zap.String("result", string(result)), zap.Error(err))
		}
	}
	output, err := compile.Compile(in)
	if err != nil {
		return nil, problems(path, err)
	}
	return &loaded{config: cfg, output: output}, nil
}

func problems(path string, err error) error {
	var all config.Problems
	if errors.As(err, &all) && len(all) != 1 {
		return noError{fmt.Sprintf("%s has %d problems:\n%s", path, len(all), all)}
	}
	return noError{fmt.Sprintf("%s has a problem:\n%s", path, err)}
}

// warnings returns everything that is allowed and probably not meant.
func (l *loaded) warnings() config.Problems {
	return append(append(config.Problems{}, l.config.Warnings()...), l.output.Warnings...)
}

func (l *loaded) printWarnings(w io.Writer) {
	for _, p := range l.warnings() {
		_, _ = fmt.Fprintln(w, "warning:", strings.TrimSpace(p.String())) // for a person; nothing depends on it
	}
}
