package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for something that has to happen.
const patience = 20 * time.Second

// process is a child of the harness. It is only ever ended through this handle,
// and when the harness's context ends.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Scanner // of its standard output
	stderr *tail
	exited chan struct{}
	err    error // after exited is closed
}

// tail keeps the last bytes that a process wrote to standard error, and shows its
// lines to a function.
type tail struct {
	mu   sync.Mutex
	last []byte
	line []byte // the one that has not ended yet
	see  func(line []byte)
}

const tailBytes = 8 << 10

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.see != nil {
		t.line = append(t.line, p...)
		for end := bytes.IndexByte(t.line, '\n'); end >= 0; end = bytes.IndexByte(t.line, '\n') {
			t.see(t.line[:end])
			t.line = t.line[end+1:]
		}
	}
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}

// start starts a program. See is shown what it writes to standard error.
func start(ctx context.Context, see func([]byte), env []string, program string, args ...string) (*process, error) {
	p := &process{name: program, stderr: &tail{see: see}, exited: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe() // not StdoutPipe, which Wait closes under a reader
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.lines = w, bufio.NewScanner(r)
	err = p.cmd.Start()
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), r.Close())
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
		_ = r.Close() // nothing comes any more
	}()
	return p, nil
}

// ask sends a line, if any, and decodes the line that comes back.
func (p *process) ask(line string, answer any) error {
	if line != "" {
		if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if !p.lines.Scan() {
		return fmt.Errorf("%s ended: %w\n%s", p.name, errors.Join(p.lines.Err(), io.ErrUnexpectedEOF), p.stderr)
	}
	return json.Unmarshal(p.lines.Bytes(), answer)
}

// stop asks the process to end, waits, and returns its failure if it had one.
func (p *process) stop() error {
	_ = p.stdin.Close() // ends backend and bare proxy
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		err := p.cmd.Process.Kill()
		<-p.exited
		return errors.Join(fmt.Errorf("%s did not end within %s", p.name, patience), err)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) && exit.ExitCode() == -1 { // by the signal that was sent
		return nil
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.stderr)
	}
	return nil
}
