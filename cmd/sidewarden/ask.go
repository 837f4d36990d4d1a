package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// askTime is how long a running sidecar may take to answer.
const askTime = 10 * time.Second

// ask reads a document of the admin listener of a running sidecar. Who asks closes
// it. A sidecar that cannot be asked is an answer of "no".
func ask(ctx context.Context, admin, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(admin, "/")+path, nil)
	if err != nil {
		return nil, usageError{fmt.Sprintf("--admin %q is not a URL", admin)}
	}
	client := http.Client{Timeout: askTime}
	resp, err := client.Do(req)
	if err != nil {
		return nil, noError{fmt.Sprintf("no sidecar answers at %s: start one, or name its admin listener with --admin", admin)}
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // it is of no use
		return nil, noError{fmt.Sprintf("%s answered %s for %s: is it the admin listener?", admin, resp.Status, path)}
	}
	return resp.Body, nil
}
