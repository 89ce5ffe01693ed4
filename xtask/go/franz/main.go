// Command franz does with records what it is told, by franz-go, as the Java program in
// ../../java/interop does by Kafka's own clients: the same lines in, the same lines out.
//
//	send PROPERTY=VALUE…   then records, a line each, and an empty line
//	dump COUNT TOPIC…      every record of these topics
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// patience is how long nothing may come before what is missing counts as lost.
const patience = 10 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: franz BOOTSTRAP_SERVERS")
		os.Exit(2)
	}
	servers := strings.Split(os.Args[1], ",")
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		words := strings.Split(in.Text(), " ")
		err := errors.New("no such command")
		switch words[0] {
		case "send":
			err = send(servers, words[1:], in, out)
		case "dump":
			err = dump(servers, words[1:], out)
		}
		if err == nil {
			fmt.Fprintln(out, "ok")
		} else {
			fmt.Fprintln(out, "error", strings.ReplaceAll(err.Error(), "\n", " "))
		}
		out.Flush()
	}
}

// send answers each record with its partition, offset and timestamp.
func send(servers, properties []string, in *bufio.Scanner, out *bufio.Writer) error {
	var records []*kgo.Record
	for in.Scan() && in.Text() != "" {
		record, err := parse(in.Text())
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(servers...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.AllowAutoTopicCreation(),
	}
	for _, property := range properties {
		option, err := producerOption(property)
		if err != nil {
			return err
		}
		options = append(options, option...)
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, result := range client.ProduceSync(context.Background(), records...) {
		if result.Err != nil {
			return result.Err
		}
	}
	for _, record := range records {
		fmt.Fprintln(out, record.Partition, record.Offset, record.Timestamp.UnixMilli())
	}
	return nil
}

// producerOption knows the properties of Java's producer that the checks use.
func producerOption(property string) ([]kgo.Opt, error) {
	switch property {
	case "acks=all":
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}, nil
	case "acks=1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck())}, nil
	case "acks=0":
		return []kgo.Opt{kgo.RequiredAcks(kgo.NoAck())}, nil
	case "enable.idempotence=true":
		return nil, nil
	case "enable.idempotence=false":
		return []kgo.Opt{kgo.DisableIdempotentWrite()}, nil
	}
	codecs := map[string]kgo.CompressionCodec{
		"compression.type=none":   kgo.NoCompression(),
		"compression.type=gzip":   kgo.GzipCompression(),
		"compression.type=snappy": kgo.SnappyCompression(),
		"compression.type=lz4":    kgo.Lz4Compression(),
		"compression.type=zstd":   kgo.ZstdCompression(),
	}
	if codec, ok := codecs[property]; ok {
		return []kgo.Opt{kgo.ProducerBatchCompression(codec)}, nil
	}
	if size, ok := strings.CutPrefix(property, "batch.size="); ok {
		bytes, err := strconv.ParseInt(size, 10, 32)
		return []kgo.Opt{kgo.ProducerBatchMaxBytes(int32(bytes))}, err
	}
	return nil, fmt.Errorf("no such property: %s", property)
}

// dump prints a line for each record: topic, partition, offset, timestamp and its type, key, value,
// headers.
func dump(servers, arguments []string, out *bufio.Writer) error {
	expected, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(servers...),
		kgo.ConsumeTopics(arguments[1:]...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for count := 0; count < expected; {
		waiting, cancel := context.WithTimeout(context.Background(), patience)
		fetches := client.PollFetches(waiting)
		cancel()
		if err := fetches.Err(); errors.Is(err, context.DeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			timestampType := "CreateTime"
			if record.Attrs.TimestampType() != 0 {
				timestampType = "LogAppendTime"
			}
			fmt.Fprintln(out, record.Topic, record.Partition, record.Offset,
				record.Timestamp.UnixMilli(), timestampType, text(record.Key), text(record.Value),
				headersText(record.Headers))
			count++
		})
	}
	return nil
}

// parse reads TOPIC PARTITION TIMESTAMP KEY VALUE HEADERS.
func parse(line string) (*kgo.Record, error) {
	words := strings.Split(line, " ")
	if len(words) != 6 {
		return nil, fmt.Errorf("not a record: %s", line)
	}
	partition, err := strconv.ParseInt(words[1], 10, 32)
	if err != nil {
		return nil, err
	}
	timestamp, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return nil, err
	}
	record := kgo.Record{
		Topic:     words[0],
		Partition: int32(partition),
		Timestamp: time.UnixMilli(timestamp),
	}
	if record.Key, err = bytesOf(words[3]); err != nil {
		return nil, err
	}
	if record.Value, err = bytesOf(words[4]); err != nil {
		return nil, err
	}
	record.Headers, err = headersOf(words[5])
	return &record, err
}

// text is LENGTH:HEX, or null.
func text(bytes []byte) string {
	if bytes == nil {
		return "null"
	}
	return strconv.Itoa(len(bytes)) + ":" + hex.EncodeToString(bytes)
}

func bytesOf(text string) ([]byte, error) {
	if text == "null" {
		return nil, nil
	}
	_, digits, _ := strings.Cut(text, ":")
	return hex.DecodeString(digits)
}

// headersText is KEY=VALUE,KEY=VALUE…, each of them bytes, or - if there are none.
func headersText(headers []kgo.RecordHeader) string {
	if len(headers) == 0 {
		return "-"
	}
	parts := make([]string, len(headers))
	for index, header := range headers {
		parts[index] = text([]byte(header.Key)) + "=" + text(header.Value)
	}
	return strings.Join(parts, ",")
}

func headersOf(text string) ([]kgo.RecordHeader, error) {
	var headers []kgo.RecordHeader
	if text == "-" {
		return headers, nil
	}
	for _, header := range strings.Split(text, ",") {
		keyText, valueText, _ := strings.Cut(header, "=")
		key, err := bytesOf(keyText)
		if err != nil {
			return nil, err
		}
		value, err := bytesOf(valueText)
		if err != nil {
			return nil, err
		}
		headers = append(headers, kgo.RecordHeader{Key: string(key), Value: value})
	}
	return headers, nil
}
