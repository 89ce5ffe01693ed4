// Command go-peer is franz-go as a contestant of `cargo xtask bench peers`: it delivers so many records, and
// tells on one line of JSON what that took.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	work, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	options, err := work.clientOptions()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	// Metadata, producer id and the connection are there then.
	first := client.ProduceSync(context.Background(), &kgo.Record{Value: work.values[0]})
	if err := first.FirstErr(); err != nil {
		return err
	}
	load := newLoad(work, client)
	cpu, begin := cpuTime(), time.Now()
	if err := load.deliver(); err != nil {
		return err
	}
	seconds, cpu := time.Since(begin).Seconds(), cpuTime()-cpu
	rss, err := peakRss()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"client":         "franz-go",
		"version":        version(),
		"records":        work.records,
		"sent_total":     work.records + 1,
		"seconds":        seconds,
		"cpu_seconds":    cpu.Seconds(),
		"peak_rss_bytes": rss,
		"latency_us": map[string]any{
			"count": load.latency.TotalCount(),
			"p50":   micros(load.latency, 50),
			"p99":   micros(load.latency, 99),
			"p999":  micros(load.latency, 99.9),
		},
		"settings": work.settings(),
	})
}

// load is the records on their way.
type load struct {
	work   *work
	client *kgo.Client
	// open is how many acknowledgements are missing.
	open   atomic.Int64
	failed atomic.Pointer[error]
	done   chan struct{}
	// acknowledged is the promise of a record that is not timed: one for all of them.
	acknowledged func(*kgo.Record, error)
	// Promises run one at a time, but for those of records that never got into a batch.
	mutex   sync.Mutex
	latency *hdrhistogram.Histogram
}

func newLoad(work *work, client *kgo.Client) *load {
	load := &load{
		work:    work,
		client:  client,
		done:    make(chan struct{}),
		latency: hdrhistogram.New(1, time.Minute.Nanoseconds(), 3),
	}
	load.open.Store(int64(work.records))
	load.acknowledged = func(_ *kgo.Record, err error) { load.settle(err) }
	return load
}

// deliver returns behind the last acknowledgement. Produce itself waits while the buffer is full. With a
// rate, what is due is sent every millisecond.
func (l *load) deliver() error {
	begin := time.Now()
	for n, tick := 0, 1; n < l.work.records; tick++ {
		due := l.work.records
		if l.work.rate != 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(tick) * time.Millisecond)))
			due = min(due, int(time.Since(begin)*time.Duration(l.work.rate)/time.Second))
		}
		for ; n < due; n++ {
			l.send(n)
		}
	}
	<-l.done
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *load) send(n int) {
	record := &kgo.Record{Value: l.work.values[n%len(l.work.values)], Key: l.work.key(n)}
	if n%l.work.timedEvery() != 0 {
		l.client.Produce(context.Background(), record, l.acknowledged)
		return
	}
	sent := time.Now()
	l.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
		took := time.Since(sent)
		l.mutex.Lock()
		_ = l.latency.RecordValue(min(took, time.Minute).Nanoseconds())
		l.mutex.Unlock()
		l.settle(err)
	})
}

func (l *load) settle(err error) {
	if err != nil {
		l.failed.CompareAndSwap(nil, &err)
	}
	if l.open.Add(-1) == 0 {
		close(l.done)
	}
}

func micros(latency *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(latency.ValueAtPercentile(percentile)) / 1e3
}

// cpuTime is user and system time of this process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func peakRss() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); err == nil {
			return kilobytes * 1024, nil
		}
	}
	return 0, errors.New("no VmHWM in /proc/self/status")
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/twmb/franz-go" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}
