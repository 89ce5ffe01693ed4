import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;

/** What Java reads in the bytes of record batches, as text lines. */
final class BatchText {
    /** Longer byte strings are written as runs if they are periodic, to keep the files small. */
    private static final int LONGEST_PLAIN = 400;

    private BatchText() {}

    /**
     * Header facts and records of every batch in the buffer, then the bytes.
     *
     * @throws RuntimeException as Java throws it if the bytes are not whole, valid batches
     */
    static List<String> of(ByteBuffer buffer) {
        MemoryRecords records = MemoryRecords.readableRecords(buffer.duplicate());
        List<String> lines = new ArrayList<>();
        int bytesRead = 0;
        for (RecordBatch batch : records.batches()) {
            batch.ensureValid();
            addFacts(batch, lines);
            for (Record record : batch) {
                lines.add(recordLine(record));
            }
            bytesRead += batch.sizeInBytes();
        }
        if (lines.isEmpty()) {
            throw new IllegalArgumentException("not one whole batch");
        }
        // Java's reader stops in silence at a batch that is cut off.
        if (bytesRead != buffer.remaining()) {
            throw new IllegalArgumentException(
                (buffer.remaining() - bytesRead) + " bytes at the end are not a whole batch");
        }
        lines.add("hex: " + GoldenFile.hex(buffer));
        return lines;
    }

    private static void addFacts(RecordBatch batch, List<String> lines) {
        lines.add("magic: " + batch.magic());
        lines.add("base_offset: " + batch.baseOffset());
        lines.add("last_offset: " + batch.lastOffset());
        lines.add("size_bytes: " + batch.sizeInBytes());
        lines.add("partition_leader_epoch: " + batch.partitionLeaderEpoch());
        lines.add("crc: " + HexFormat.of().toHexDigits((int) batch.checksum()));
        lines.add("codec: " + batch.compressionType().name);
        lines.add("timestamp_type: " + batch.timestampType().name);
        lines.add("transactional: " + batch.isTransactional());
        lines.add("control: " + batch.isControlBatch());
        lines.add("delete_horizon_ms: " + (batch.deleteHorizonMs().isPresent()
            ? String.valueOf(batch.deleteHorizonMs().getAsLong())
            : "none"));
        if (batch instanceof DefaultRecordBatch current) {
            lines.add("base_timestamp: " + current.baseTimestamp());
        }
        lines.add("max_timestamp: " + batch.maxTimestamp());
        lines.add("producer_id: " + batch.producerId());
        lines.add("producer_epoch: " + batch.producerEpoch());
        lines.add("base_sequence: " + batch.baseSequence());
        lines.add("last_sequence: " + batch.lastSequence());
        if (batch.countOrNull() != null) {
            lines.add("record_count: " + batch.countOrNull());
        }
    }

    private static String recordLine(Record record) {
        String headers = Stream.of(record.headers())
            .map(BatchText::headerText)
            .collect(Collectors.joining(","));
        return "record: offset=" + record.offset()
            + " timestamp=" + record.timestamp()
            + " key=" + bytesText(record.key())
            + " value=" + bytesText(record.value())
            + " headers=[" + headers + "]";
    }

    private static String headerText(Header header) {
        byte[] value = header.value();
        return bytesText(ByteBuffer.wrap(header.key().getBytes(StandardCharsets.UTF_8)))
            + "="
            + bytesText(value == null ? null : ByteBuffer.wrap(value));
    }

    /** {@code null}, or hex, or {@code hex*count} for a long repetition of a short piece. */
    private static String bytesText(ByteBuffer buffer) {
        if (buffer == null) {
            return "null";
        }
        byte[] bytes = GoldenFile.bytes(buffer);
        if (bytes.length > LONGEST_PLAIN) {
            for (int period = 1; period <= bytes.length / 2; period++) {
                if (bytes.length % period == 0 && hasPeriod(bytes, period)) {
                    return HexFormat.of().formatHex(bytes, 0, period) + "*" + bytes.length / period;
                }
            }
        }
        return HexFormat.of().formatHex(bytes);
    }

    private static boolean hasPeriod(byte[] bytes, int period) {
        return Arrays.equals(
            bytes, period, bytes.length,
            bytes, 0, bytes.length - period);
    }
}
