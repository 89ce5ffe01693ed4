import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** What is in the golden batches. */
final class GoldenRecords {
    /** 2025-01-01T12:00:00Z in milliseconds. */
    static final long NOON = 1_735_732_800_000L;

    private static final long DAY = 86_400_000;
    private static final int LARGE_COUNT = 96;
    private static final int LARGE_VALUE_BYTES = 1_024;

    private GoldenRecords() {}

    static List<SimpleRecord> single() {
        return List.of(record(NOON, text("key"), text("value"), header("header", text("content"))));
    }

    /** Five records: the third has no key, the fourth is a tombstone. */
    static List<SimpleRecord> few() {
        return List.of(
            record(NOON, text("a"), text("first")),
            record(NOON + 1, text("b"), text("second"), header("trace", text("1"))),
            record(NOON + 2, null, text("third")),
            record(NOON + 70, text("d"), null),
            record(NOON - 3, text("e"), text("fifth")));
    }

    /** Old formats have no headers, and magic 0 takes only records without a timestamp. */
    static List<SimpleRecord> old() {
        return List.of(
            record(NOON, text("a"), text("first")),
            record(NOON + 1, null, text("second")),
            record(NOON + 2, text("c"), null));
    }

    /**
     * Every absent and empty part, sizes on both sides of a change of varint length, and timestamp
     * deltas beyond 32 bits in both directions.
     */
    static List<SimpleRecord> mixed() {
        return List.of(
            record(NOON, text("key"), text("value")),
            record(NOON + 1, null, text("null key")),
            record(NOON - 1, text(""), text("empty key")),
            record(NOON + 63, text("null value"), null),
            record(NOON + 64, text("empty value"), text("")),
            record(NOON - 64, null, null),
            record(NOON - 65, text(""), text("")),
            record(NOON + 30 * DAY, text("30 days after the first"), text("v")),
            record(NOON - 30 * DAY, text("30 days before the first"), text("v")),
            record(NOON + 4_000 * DAY, text("years after the first"), text("v")),
            record(0, text("timestamp 0"), text("v")),
            record(NOON, counted(63), counted(64)),
            record(NOON, counted(64), counted(63)),
            record(NOON, counted(127), counted(128)),
            record(NOON, counted(300), counted(255)),
            record(NOON, text("one header"), text("v"), header("h", text("1"))),
            record(NOON, text("equal header keys"), text("v"),
                header("same", text("1")), header("other", text("2")), header("same", text("3")),
                header("same", text("1"))),
            record(NOON, text("null and empty header values"), text("v"),
                header("null", null), header("empty", text("")), header("", text("empty key")),
                header("", null)),
            record(NOON, text("header keys beyond ASCII"), text("v"),
                header("\u00fcber", text("2 bytes")), header("\u30ab\u30d5\u30ab", text("3 bytes")),
                header("\ud83e\udeb2", text("4 bytes"))),
            record(NOON, null, null, manyHeaders(64)),
            record(NOON, bytes(0x00, 0xff, 0x80, 0x7f, 0x0a), counted(256)));
    }

    /** Values of one repeated piece each, compressible yet all different, the first one longer. */
    static List<SimpleRecord> large() {
        List<SimpleRecord> records = new ArrayList<>();
        for (int index = 0; index < LARGE_COUNT; index++) {
            String piece = HexFormat.of().toHexDigits(index * 0x9e37_79b9);
            String value = index == 0
                ? "longvalue".repeat(1_000)
                : piece.repeat(LARGE_VALUE_BYTES / piece.length());
            records.add(record(NOON + index, text("key-" + index), text(value)));
        }
        return records;
    }

    private static SimpleRecord record(
            long timestamp, byte[] key, byte[] value, Header... headers) {
        return new SimpleRecord(timestamp, key, value, headers);
    }

    private static Header header(String key, byte[] value) {
        return new RecordHeader(key, value);
    }

    private static Header[] manyHeaders(int count) {
        Header[] headers = new Header[count];
        Arrays.setAll(headers, index -> header("h" + index, bytes(index)));
        return headers;
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int index = 0; index < values.length; index++) {
            bytes[index] = (byte) values[index];
        }
        return bytes;
    }

    /** 0, 1, 2 and so on, so that a byte lost or moved shows. */
    static byte[] counted(int size) {
        byte[] bytes = new byte[size];
        for (int index = 0; index < size; index++) {
            bytes[index] = (byte) index;
        }
        return bytes;
    }
}
