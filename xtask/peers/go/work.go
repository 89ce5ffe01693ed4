package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// work is what the command line asks for.
type work struct {
	servers, topic, compression            string
	records, size, rate, linger, batchSize int
	buffer                                 int64
	values, keys                           [][]byte
}

func parse(arguments []string) (*work, error) {
	var work work
	var keys int
	flags := flag.NewFlagSet("go", flag.ContinueOnError)
	flags.StringVar(&work.servers, "servers", "", "bootstrap servers")
	flags.StringVar(&work.topic, "topic", "", "topic")
	flags.IntVar(&work.records, "records", 0, "number of records")
	flags.IntVar(&work.size, "size", 0, "bytes of a value")
	flags.IntVar(&keys, "keys", 0, "number of different keys; 0: no keys")
	flags.StringVar(&work.compression, "compression", "none", "none or lz4")
	flags.IntVar(&work.rate, "rate", 0, "records a second; 0: as fast as it goes")
	flags.IntVar(&work.linger, "linger-ms", unset, "milliseconds; -1: the client's default")
	flags.IntVar(&work.batchSize, "batch-size", unset, "bytes; -1: the client's default")
	flags.Int64Var(&work.buffer, "buffer", unset, "bytes; -1: the client's default")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	if work.servers == "" || work.topic == "" || work.records < 1 || work.size < 1 {
		return nil, fmt.Errorf("--servers, --topic, --records and --size are needed")
	}
	work.values = values(work.size)
	for n := range keys {
		work.keys = append(work.keys, []byte("key-"+strconv.Itoa(n)))
	}
	return &work, nil
}

const unset = -1

// clientOptions are acks=all and idempotence, which are defaults, and what the command line says.
func (w *work) clientOptions() ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(w.servers, ",")...),
		kgo.DefaultProduceTopic(w.topic),
	}
	switch w.compression {
	case "none":
		options = append(options, kgo.ProducerBatchCompression(kgo.NoCompression()))
	case "lz4":
		options = append(options, kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	default:
		return nil, fmt.Errorf("no such compression: %s", w.compression)
	}
	if w.linger != unset {
		options = append(options, kgo.ProducerLinger(time.Duration(w.linger)*time.Millisecond))
	}
	if w.batchSize != unset {
		// The count of 10,000 records would come first. A batch that is larger than a megabyte
		// is refused by brokers.
		options = append(options,
			kgo.ProducerBatchMaxBytes(int32(w.batchSize)),
			kgo.MaxBufferedRecords(manyRecords))
	}
	if w.buffer != unset {
		options = append(options, kgo.MaxBufferedRecords(math.MaxInt), kgo.MaxBufferedBytes(int(w.buffer)))
	}
	return options, nil
}

const manyRecords = 500_000

// settings is what differs from the client's own defaults.
func (w *work) settings() string {
	var parts []string
	if w.linger != unset {
		parts = append(parts, fmt.Sprintf("linger %d ms", w.linger))
	}
	if w.batchSize != unset {
		parts = append(parts, fmt.Sprintf("batch of %d bytes, at most %d records", w.batchSize, manyRecords))
	}
	if w.buffer != unset {
		parts = append(parts, fmt.Sprintf("buffer of %d bytes", w.buffer))
	}
	parts = append(parts, "compression "+w.compression)
	return strings.Join(parts, ", ")
}

// timedEvery is how many records there are for one whose time is taken.
func (w *work) timedEvery() int {
	if w.rate == 0 {
		return 64
	}
	return 1
}

// key is spread over all keys, the same way in all programs.
func (w *work) key(n int) []byte {
	if len(w.keys) == 0 {
		return nil
	}
	return w.keys[uint64(n)*spread>>32%uint64(len(w.keys))]
}

// values are half random, half the same byte: the same in all programs.
func values(size int) [][]byte {
	state := uint64(42)
	values := make([][]byte, 1024)
	for n := range values {
		value := bytes.Repeat([]byte("x"), size)
		var random []byte
		for len(random) < size/2 {
			random = binary.LittleEndian.AppendUint64(random, splitMix(&state))
		}
		copy(value[:size/2], random)
		values[n] = value
	}
	return values
}

func splitMix(state *uint64) uint64 {
	*state += spread
	mixed := (*state ^ *state>>30) * 0xbf58476d1ce4e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
	return mixed ^ mixed>>31
}

// spread is 2⁶⁴ divided by the golden ratio.
const spread = 0x9e3779b97f4a7c15
