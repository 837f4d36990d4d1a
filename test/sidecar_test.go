package test_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a test waits for something that has to happen.
const patience = 20 * time.Second

// sidecar is one running process of the binary under test.
type sidecar struct {
	data, admin    string // addresses
	audit          string // file of records
	config         string
	stdout, stderr *output
	cmd            *exec.Cmd
	done           chan struct{}
}

// output keeps what a process wrote.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs the binary with a configuration and returns when it serves. Env is
// added to the environment; "AUDIT=file" there says where records go.
func start(config string, env ...string) (*sidecar, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	return startCommand(exec.Command(path, "serve", "--config", config, "--log-level", "debug"), config, env...)
}

func startCommand(cmd *exec.Cmd, config string, env ...string) (*sidecar, error) {
	s := &sidecar{config: config, cmd: cmd, stdout: &output{}, stderr: &output{}, done: make(chan struct{})}
	for _, e := range env {
		if file, ok := strings.CutPrefix(e, "AUDIT="); ok {
			s.audit = file
		}
	}
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), env...)
	}
	if cmd.Stdout == nil {
		cmd.Stdout = s.stdout
	}
	cmd.Stderr = s.stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sidecar: %w", err)
	}
	go func() {
		_ = cmd.Wait() // ProcessState has it
		close(s.done)
	}()
	if err := eventually(s.serving); err != nil {
		_ = s.stop() // the reason below is the better one
		return nil, fmt.Errorf("the sidecar did not start to serve: %w\n%s", err, s.stderr)
	}
	return s, nil
}

// serving finds the addresses in the operator's log.
func (s *sidecar) serving() error {
	select {
	case <-s.done:
		return permanent{errors.New("it ended")}
	default:
	}
	lines := bufio.NewScanner(strings.NewReader(s.stderr.String()))
	for lines.Scan() {
		var line struct{ Msg, Listen, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			s.data, s.admin = line.Listen, line.Admin
			return nil
		}
	}
	return errors.New("no line with its addresses")
}

// stop ends the process as an orchestrator does, and requires that it says that
// all went well.
func (s *sidecar) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // a process that has ended is seen below
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill() // as above
		<-s.done
		return fmt.Errorf("the sidecar did not end within %s of SIGTERM\n%s", patience, s.stderr)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the sidecar ended with exit code %d\n%s", code, s.stderr)
	}
	return nil
}

// get asks the admin listener.
func (s *sidecar) get(path string) (status int, body string, err error) {
	resp, err := http.Get("http://" + s.admin + path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// metric returns the value of the one sample whose name and labels are written as
// the exposition writes them; "" if there is none.
func (s *sidecar) metric(sample string) (string, error) {
	_, body, err := s.get("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), sample+" "); ok {
			return value, nil
		}
	}
	return "", err
}

// records returns the audit records that are in the file now, oldest first.
func (s *sidecar) records() ([]map[string]any, error) {
	b, err := os.ReadFile(s.audit)
	if err != nil {
		return nil, err
	}
	var all []map[string]any
	for line := range bytes.Lines(b) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("a line of the audit file is not JSON: %w", err)
		}
		all = append(all, record)
	}
	return all, nil
}

// permanent is an error that waiting does not mend.
type permanent struct{ error }

// eventually calls do until it returns nil, and returns its last error when
// patience ends.
func eventually(do func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := do()
		var lasting permanent
		if err == nil || errors.As(err, &lasting) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
