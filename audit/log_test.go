package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func plain() *audit.Record { return &audit.Record{V: 1, Disposition: policy.Allowed.String()} }

func denied() *audit.Record {
	return &audit.Record{V: 1, Disposition: policy.WouldBlock.String(), Findings: []audit.Finding{{Control: policy.AzAccount}}}
}

func failed() *audit.Record { return &audit.Record{V: 1, Disposition: policy.Failed.String()} }

// running runs a log until stop is called, which returns Run's error.
func running(t *testing.T, l *audit.Log) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func TestClassOfRecord(t *testing.T) {
	leak := plain()
	leak.Observations = []audit.Observation{{Control: policy.AzAccount}}
	excepted := &audit.Record{Disposition: policy.Excepted.String()}
	open := plain()
	open.Findings = []audit.Finding{{Control: policy.RateApp, FailedOpen: true}}
	rows := []struct {
		rule string
		rec  *audit.Record
		want audit.Class
	}{
		{"nothing to object is allowed", plain(), audit.ClassAllowed},
		{"an objection is denied", denied(), audit.ClassDenied},
		{"a failure is failed", failed(), audit.ClassFailed},
		{"an observation is worth keeping", leak, audit.ClassDenied},
		{"an exception is worth keeping", excepted, audit.ClassDenied},
		{"failing open is worth keeping", open, audit.ClassDenied},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) { assert.Equal(t, row.want, row.rec.Class()) })
	}
}

func TestAcceptedRecordsAreWrittenAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := audit.NewLog(&out, 100_000)
		stop := running(t, l)
		const n, senders = 2000, 8
		var taken [senders]int
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for range n {
					if l.Enqueue(denied()) {
						taken[i]++
					}
				}
			})
		}
		wg.Wait()
		require.NoError(t, stop())
		sum := 0
		for _, k := range taken {
			sum += k
		}
		assert.Equal(t, n*senders, sum)
		assert.Equal(t, sum, bytes.Count(out.Bytes(), []byte("\n")))
		assert.False(t, l.Enqueue(denied()), "nothing is taken that nobody will write")
		assert.Equal(t, audit.LogStats{Capacity: 100_000, Written: n * senders, Dropped: audit.Drops{Denied: 1}}, l.Stats())
	})
}

func TestIdleLogHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := audit.NewLog(&out, 0)
		stop := running(t, l)
		l.Enqueue(plain())
		synctest.Wait()
		assert.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")))
		require.NoError(t, stop())
	})
}

// stuck is a writer that blocks until released.
type stuck struct {
	release chan struct{}
	out     bytes.Buffer
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.release
	return s.out.Write(b)
}

func TestBlockedWriterNeverBlocksEnqueueAndDropsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuck{release: make(chan struct{})}
		l := audit.NewLog(w, 8)
		stop := running(t, l)
		require.True(t, l.Enqueue(plain()))
		synctest.Wait() // the writer holds that one
		for range 10 {
			l.Enqueue(plain())
		}
		assert.Equal(t, 6, l.Stats().Queued, "plain allowed records fill three quarters")
		for range 5 {
			l.Enqueue(denied())
			l.Enqueue(failed())
		}
		want := audit.LogStats{Queued: 8, Capacity: 8, Dropped: audit.Drops{Allowed: 4, Denied: 4, Failed: 4}}
		assert.Equal(t, want, l.Stats())
		close(w.release)
		require.NoError(t, stop())
		assert.Equal(t, 9, bytes.Count(w.out.Bytes(), []byte("\n")))
		assert.EqualValues(t, 9, l.Stats().Written)
	})
}

// flaky fails its first writes after some bytes.
type flaky struct {
	takes []int // bytes that each failing write takes
	out   bytes.Buffer
}

var errDiskFull = errors.New("disk full")

func (f *flaky) Write(b []byte) (int, error) {
	if len(f.takes) == 0 {
		return f.out.Write(b)
	}
	n := f.takes[0]
	f.takes = f.takes[1:]
	f.out.Write(b[:n])
	return n, errDiskFull
}

func TestFailedWritesAreCountedAndReported(t *testing.T) {
	whole := len(line(t, denied()))
	rows := []struct {
		rule            string
		takes           []int
		written, failed uint64
	}{
		{"nothing written", []int{0}, 2, 1},
		{"a torn line is ended by the next write", []int{10}, 2, 1},
		{"torn twice", []int{10, 5}, 1, 2},
		{"only the ending break written", []int{10, 1}, 1, 2},
		{"the line written and an error after it", []int{whole}, 3, 0},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &flaky{takes: row.takes}
				l := audit.NewLog(w, 8)
				stop := running(t, l)
				for range 3 {
					l.Enqueue(denied())
					synctest.Wait()
				}
				err := stop()
				require.ErrorIs(t, err, errDiskFull)
				stats := l.Stats()
				assert.Equal(t, []uint64{row.written, row.failed}, []uint64{stats.Written, stats.Failed})
				require.ErrorIs(t, stats.LastError, errDiskFull)
				good := uint64(0)
				for text := range strings.Lines(w.out.String()) {
					if _, err := audit.ReadRecord([]byte(text)); err == nil {
						good++
					}
				}
				assert.Equal(t, row.written, good, "what counts as written is readable")
			})
		})
	}
}

func TestShortWriteIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := audit.NewLog(short{}, 8)
		stop := running(t, l)
		l.Enqueue(denied())
		synctest.Wait()
		require.ErrorIs(t, stop(), io.ErrShortWrite)
	})
}

type short struct{}

func (short) Write([]byte) (int, error) { return 3, nil }

func TestRecorderFeedsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := audit.NewLog(&out, 0)
		stop := running(t, l)
		s := scenarios()["account-leak"]
		audit.NewRecorder(audit.Options{Pseudonyms: pseudonyms(t), Log: l}).Observe(s.r, s.d, s.o)
		require.NoError(t, stop())
		rec, err := audit.ReadRecord(out.Bytes())
		require.NoError(t, err)
		assert.Equal(t, "would-block", rec.Disposition)
	})
}

func TestOpenFileIsPrivateAndAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "audit.jsonl")
	for range 2 {
		f, err := audit.OpenFile(path)
		require.NoError(t, err)
		_, err = f.WriteString("x\n")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "x\nx\n", string(content))
	for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), p)
	}
	_, err = audit.OpenFile(filepath.Join(path, "file-as-folder"))
	assert.ErrorContains(t, err, "audit file")
}
