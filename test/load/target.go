package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

// target is one running proxy.
type target struct {
	profile profile
	tls     bool
	address string
	process *process
	sidecar *sidecar // nil for every other program
	sent    int64    // requests, since it was started
}

// errAbsent says that a reference is not measured, and why.
type errAbsent struct{ why string }

func (e errAbsent) Error() string { return e.why }

// startTarget starts the proxy of a profile. It returns errAbsent for a reference
// that cannot be measured here.
func (h *harness) startTarget(ctx context.Context, p profile, name string, tls bool) (*target, error) {
	switch p.kind {
	case kindBare:
		return h.startBare(ctx, p, tls, h.world.bare, nil)
	case kindTuned:
		return h.startBare(ctx, p, tls, h.world.tuned, h.settings.env())
	case kindSidecar:
		return h.world.startSidecar(ctx, p, name, tls, h.backend, h.controls)
	case kindHAProxy, kindNginx:
		if tls {
			return nil, errAbsent{"plain HTTP only"}
		}
		return h.startReference(ctx, p, name)
	}
	return nil, fmt.Errorf("profile %s has no program", p.name)
}

func (h *harness) startBare(ctx context.Context, p profile, tls bool, program string, env []string) (*target, error) {
	args := []string{roleBare, "-backend", h.backend}
	if tls {
		args = append(args, "-cert", h.world.path(fileCert), "-key", h.world.path(fileKey))
	}
	process, err := start(ctx, nil, env, program, args...)
	if err != nil {
		return nil, err
	}
	var at hello
	if err := process.ask("", &at); err != nil {
		return nil, errors.Join(err, process.stop())
	}
	return &target{profile: p, tls: tls, address: at.Address, process: process}, nil
}

// startReference starts HAProxy or nginx, if Debian's is installed and accepts the
// configuration.
func (h *harness) startReference(ctx context.Context, p profile, name string) (*target, error) {
	program, err := lookUp(p.name)
	if err != nil {
		return nil, errAbsent{"not installed"}
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	text, test, serve := haproxyTemplate, []string{"-c", "-f"}, []string{"-db", "-f"}
	if p.kind == kindNginx {
		text, test, serve = nginxTemplate, []string{"-t", "-e", "stderr", "-c"}, []string{"-e", "stderr", "-c"}
	}
	config, err := h.world.render(name+".conf", text, map[string]any{
		"Address": address, "Backend": h.backend, "Cores": runtime.NumCPU(), "Dir": h.world.dir,
		"PublicKey": h.world.path(filePublicKey), "Issuer": issuer, "Audience": audience,
	})
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, program, append(test, config)...).CombinedOutput(); err != nil {
		return nil, errAbsent{fmt.Sprintf("refuses its configuration: %v: %s", err, out)}
	}
	process, err := start(ctx, nil, nil, program, append(serve, config)...)
	if err != nil {
		return nil, err
	}
	if err := reachable(ctx, address); err != nil {
		return nil, errors.Join(err, process.stop())
	}
	return &target{profile: p, address: address, process: process}, nil
}

// lookUp finds a program, also where Debian keeps servers.
func lookUp(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// freeAddress returns a loopback address that was free a moment ago: the
// references cannot say which one they chose.
func freeAddress(ctx context.Context) (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// reachable waits until something accepts connections.
func reachable(ctx context.Context, address string) error {
	var d net.Dialer
	deadline := time.Now().Add(patience)
	for {
		c, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// settle waits until everything that was sent is in the audit file.
func (t *target) settle(ctx context.Context) error {
	if t.sidecar == nil {
		return nil
	}
	return t.sidecar.settle(ctx, t.sent)
}

// accounted returns a sidecar's metrics once they account for everything that was
// sent.
func (t *target) accounted(ctx context.Context) (values, error) {
	if t.sidecar == nil {
		return nil, nil
	}
	return t.sidecar.accounted(ctx, t.sent)
}

// mallocs returns the objects that the proxy has allocated since it was started.
func (t *target) mallocs(ctx context.Context) (float64, error) {
	switch t.profile.kind {
	case kindBare, kindTuned:
		var answer heap
		err := t.process.ask("heap", &answer)
		return float64(answer.Mallocs), err
	case kindSidecar:
		m, err := t.sidecar.scrape(ctx)
		return m["go_memstats_mallocs_total"], err
	case kindHAProxy, kindNginx:
	}
	return 0, nil
}

// usage returns the CPU time and the resident memory.
func (t *target) usage() (cpu time.Duration, resident int64, err error) {
	cpu, err = cpuOf(t.process.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	resident, err = residentOf(t.process.cmd.Process.Pid)
	return cpu, resident, err
}

// stop ends the proxy. A sidecar must end well, and its file must have exactly one
// line per request.
func (t *target) stop(ctx context.Context) error {
	err := t.process.stop()
	if t.sidecar == nil {
		if t.profile.kind == kindHAProxy || t.profile.kind == kindNginx {
			return nil // how they exit is theirs
		}
		return err
	}
	err = errors.Join(err, t.settle(ctx), t.sidecar.file.Close(), os.Remove(t.sidecar.audit))
	if err != nil {
		return fmt.Errorf("profile %s: %w", t.profile.name, err)
	}
	return nil
}

// settings are those of the sidecar's runtime that bare-tuned copies.
type settings struct {
	GOGC       string `json:"gogc"`
	GOMEMLIMIT string `json:"gomemlimit"`
	PGO        bool   `json:"pgo"`
}

// settingsOf reads them from the metrics of a running sidecar.
func settingsOf(m values, pgo bool) settings {
	whole := func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
	s := settings{GOGC: "off", GOMEMLIMIT: "off", PGO: pgo}
	if percent := m["go_gc_gogc_percent"]; percent > 0 && percent < 1e6 {
		s.GOGC = whole(percent)
	}
	if limit := m["go_gc_gomemlimit_bytes"]; limit > 0 && limit < 1<<62 {
		s.GOMEMLIMIT = whole(limit)
	}
	return s
}

// env returns the environment that gives another process the same settings.
func (s settings) env() []string {
	return []string{"GOGC=" + s.GOGC, "GOMEMLIMIT=" + s.GOMEMLIMIT}
}
