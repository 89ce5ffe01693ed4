import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeSet;
import java.util.UUID;

import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.serialization.BooleanSerializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.DoubleSerializer;
import org.apache.kafka.common.serialization.FloatSerializer;
import org.apache.kafka.common.serialization.IntegerSerializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.ShortSerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.serialization.UUIDSerializer;
import org.apache.kafka.common.serialization.VoidSerializer;
import org.apache.kafka.common.utils.Utils;

/** What a producer's plug-ins do with a key or a value: its partition, its bytes. */
final class Plugins {
    private static final int[] PARTITION_COUNTS = {1, 3, 12, 1000};

    /** Every length up to here, so that each form of the last word comes after many whole ones. */
    private static final int KEY_LENGTH_MAX = 40;

    private static final List<Long> NUMBERS = List.of(
        0L, 1L, -1L, 127L, 128L, -128L, 255L, 256L, 0x1234L, (long) Short.MAX_VALUE,
        (long) Short.MIN_VALUE, 0x12345678L, (long) Integer.MAX_VALUE, (long) Integer.MIN_VALUE,
        0x123456789abcdef0L, Long.MAX_VALUE, Long.MIN_VALUE);

    /** Zeros, one, the limits, infinities, and NaNs: the usual one, signalling, negative, odd. */
    private static final String[] FLOATS = {
        "00000000", "80000000", "3f800000", "c0490fdb", "00000001", "7f7fffff", "7f800000",
        "ff800000", "7fc00000", "7f800001", "ffc00000", "7fd23456",
    };

    private static final String[] DOUBLES = {
        "0000000000000000", "8000000000000000", "3ff0000000000000", "c00921fb54442d18",
        "0000000000000001", "7fefffffffffffff", "7ff0000000000000", "fff0000000000000",
        "7ff8000000000000", "7ff0000000000001", "fff8000000000000", "7ff8123456789abc",
    };

    private static final String[] STRINGS = {
        "", "a", "alice", "grüße", "42 €", "\u65e5\u672c", "\ud83e\udd80", "a b\tc", "\u0000",
    };

    private static final String[] UUIDS = {
        "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "67E55044-10B1-426F-9247-BB680E5FE0C8", "00000001-0002-0003-0004-00000000000a",
    };

    private Plugins() {}

    static GoldenFile partitions() {
        GoldenFile file = new GoldenFile(
            "KEY MURMUR2 PARTITION...",
            "the partitions are of topics with as many as " + Arrays.toString(PARTITION_COUNTS));
        Set<String> lines = new LinkedHashSet<>();
        Random random = new Random(42);
        for (int length = 0; length <= KEY_LENGTH_MAX; length++) {
            lines.add(partitionLine(filled(length, 0)));
            lines.add(partitionLine(filled(length, 0xff)));
            for (int i = 0; i < 5; i++) {
                lines.add(partitionLine(random(random, length)));
            }
        }
        for (int i = 0; i < 40; i++) {
            lines.add(partitionLine(random(random, random.nextInt(300))));
        }
        lines.forEach(file::line);
        return file;
    }

    static GoldenFile serializers() {
        GoldenFile file = new GoldenFile("TYPE BYTES VALUE");
        List<Short> shorts = NUMBERS.stream().map(Long::shortValue).toList();
        List<Integer> integers = NUMBERS.stream().map(Long::intValue).toList();
        eachOnce(file, "short", new ShortSerializer(), shorts);
        eachOnce(file, "integer", new IntegerSerializer(), integers);
        eachOnce(file, "long", new LongSerializer(), NUMBERS);
        eachOnce(file, "boolean", new BooleanSerializer(), List.of(false, true));
        for (String bits : FLOATS) {
            float value = Float.intBitsToFloat(Integer.parseUnsignedInt(bits, 16));
            line(file, "float", new FloatSerializer(), value, bits);
        }
        for (String bits : DOUBLES) {
            double value = Double.longBitsToDouble(Long.parseUnsignedLong(bits, 16));
            line(file, "double", new DoubleSerializer(), value, bits);
        }
        for (String text : STRINGS) {
            StringJoiner points = new StringJoiner(" ");
            text.codePoints().forEach(point -> points.add(Integer.toHexString(point)));
            line(file, "string", new StringSerializer(), text, points.toString());
        }
        for (String uuid : UUIDS) {
            line(file, "uuid", new UUIDSerializer(), UUID.fromString(uuid), uuid);
        }
        for (byte[] bytes : new byte[][] {filled(0, 0), filled(3, 0), filled(2, 0xff)}) {
            line(file, "bytes", new ByteArraySerializer(), bytes, hex(bytes));
        }
        line(file, "void", new VoidSerializer(), null, "null");
        return file;
    }

    private static <T extends Comparable<T>> void eachOnce(
            GoldenFile file, String type, Serializer<T> serializer, List<T> values) {
        for (T value : new TreeSet<>(values)) {
            line(file, type, serializer, value, value.toString());
        }
    }

    private static <T> void line(
            GoldenFile file, String type, Serializer<T> serializer, T value, String text) {
        byte[] bytes = serializer.serialize("topic", value);
        String hex = bytes == null ? "null" : hex(bytes);
        file.line((type + " " + hex + " " + text).stripTrailing());
    }

    private static String partitionLine(byte[] key) {
        StringBuilder line = new StringBuilder(hex(key)).append(' ').append(Utils.murmur2(key));
        for (int count : PARTITION_COUNTS) {
            line.append(' ').append(BuiltInPartitioner.partitionForKey(key, count));
        }
        return line.toString();
    }

    private static byte[] filled(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private static byte[] random(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static String hex(byte[] bytes) {
        return bytes.length == 0 ? "-" : HexFormat.of().formatHex(bytes);
    }
}
