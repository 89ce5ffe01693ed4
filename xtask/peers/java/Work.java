import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** What the command line asks for. */
final class Work {
    private static final int VALUES = 1024;
    private static final long SEED = 42;
    /** 2⁶⁴ divided by the golden ratio. */
    private static final long SPREAD = 0x9e3779b97f4a7c15L;

    private final Map<String, Object> properties = new HashMap<>();
    private final StringBuilder settings = new StringBuilder();
    private String topic;
    private long records;
    private int rate;
    private byte[][] values;
    private byte[][] keys = {};

    Work(String[] args) {
        properties.put("acks", "all");
        properties.put("enable.idempotence", true);
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " lacks a value");
            }
            take(args[i], args[i + 1]);
        }
        if (topic == null || records < 1 || values == null) {
            throw new IllegalArgumentException(
                "--servers, --topic, --records and --size are needed");
        }
        settings.append("heap as Java chooses it");
    }

    private void take(String option, String value) {
        switch (option) {
            case "--servers" -> properties.put("bootstrap.servers", value);
            case "--topic" -> topic = value;
            case "--records" -> records = Long.parseLong(value);
            case "--size" -> values = values(Integer.parseInt(value));
            case "--keys" -> keys = keys(Integer.parseInt(value));
            case "--rate" -> rate = Integer.parseInt(value);
            case "--compression" -> set("compression.type", value);
            case "--linger-ms" -> set("linger.ms", value);
            case "--batch-size" -> set("batch.size", value);
            case "--buffer" -> set("buffer.memory", value);
            default -> throw new IllegalArgumentException("no such option: " + option);
        }
    }

    private void set(String property, String value) {
        properties.put(property, value);
        settings.append(property).append('=').append(value).append(", ");
    }

    private static byte[][] keys(int count) {
        byte[][] keys = new byte[count][];
        Arrays.setAll(keys, n -> ("key-" + n).getBytes(StandardCharsets.US_ASCII));
        return keys;
    }

    /** Half random, half the same byte: the same in all programs. */
    private static byte[][] values(int size) {
        byte[][] values = new byte[VALUES][size];
        long state = SEED;
        for (byte[] value : values) {
            Arrays.fill(value, (byte) 'x');
            ByteBuffer random =
                ByteBuffer.allocate(size / 2 + Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            while (random.position() < size / 2) {
                state += SPREAD;
                random.putLong(mixed(state));
            }
            random.get(0, value, 0, size / 2);
        }
        return values;
    }

    /** The rest of SplitMix64. */
    private static long mixed(long state) {
        long mixed = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }

    Map<String, Object> properties() {
        return properties;
    }

    /** What differs from the client's own defaults. */
    String settings() {
        return settings.toString();
    }

    String topic() {
        return topic;
    }

    long records() {
        return records;
    }

    /** Records a second; 0: as fast as it goes. */
    int rate() {
        return rate;
    }

    byte[] value(long n) {
        return values[(int) (n % VALUES)];
    }

    /** Spread over all keys, the same way in all programs. */
    byte[] key(long n) {
        return keys.length == 0 ? null : keys[(int) ((n * SPREAD >>> 32) % keys.length)];
    }
}
