import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Locale;
import java.util.TreeSet;

import org.apache.kafka.common.utils.internals.ByteUtils;

/** Variable-length integers: how Java writes them, and which odd forms it reads or refuses. */
final class Primitives {
    private enum Form { VARINT, VARLONG, UVARINT }

    /** As long as allowed and longer, not minimal, with bits that do not fit. */
    private static final String[] ODD_INPUTS = {
        "8000", "8100", "808080808000", "8080808000", "ffffffff0f", "ffffffff1f", "ffffffff7f",
        "ffffffffff01", "ffffffffffffffffff01", "ffffffffffffffffff03", "ffffffffffffffffff7f",
        "80808080808080808000", "8080808080808080808000", "ffffffffffffffffffff01",
        "", "80", "ffffffff", "ffffffffffffffffff",
    };

    private Primitives() {}

    static GoldenFile vectors() {
        GoldenFile file = new GoldenFile(
            "write FORM VALUE HEX    Java writes VALUE so and reads it back",
            "read FORM HEX VALUE     Java reads these bytes as VALUE, odd though most of them are",
            "refuse FORM HEX REASON  Java refuses to read these bytes",
            "FORM: varint 32 bits zigzag, varlong 64 bits zigzag, uvarint 32 bits unsigned");
        for (Form form : Form.values()) {
            for (long value : values(form)) {
                file.line("write " + name(form) + " " + text(form, value) + " "
                    + GoldenFile.hex(written(form, value)));
            }
        }
        for (Form form : Form.values()) {
            for (String hex : ODD_INPUTS) {
                file.line(readLine(form, hex));
            }
        }
        return file;
    }

    private static String readLine(Form form, String hex) {
        String input = hex.isEmpty() ? "-" : hex;
        ByteBuffer buffer = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
        try {
            long value = read(form, buffer);
            // Bytes behind the number would be the next field: the line shows what was used.
            String used = hex.substring(0, 2 * buffer.position());
            return "read " + name(form) + " " + used + " " + text(form, value);
        } catch (RuntimeException e) {
            return "refuse " + name(form) + " " + input + " " + e.getClass().getSimpleName();
        }
    }

    /** Powers of two and their neighbours: every change of length is among them. */
    private static TreeSet<Long> values(Form form) {
        boolean isLong = form == Form.VARLONG;
        TreeSet<Long> values = new TreeSet<>();
        for (int bit = 0; bit < (isLong ? 64 : 32); bit++) {
            long power = 1L << bit;
            for (long value : new long[] {power - 1, power, -power, -power - 1}) {
                values.add(isLong ? value : (int) value);
            }
        }
        return values;
    }

    private static ByteBuffer written(Form form, long value) {
        ByteBuffer buffer = ByteBuffer.allocate(10);
        switch (form) {
            case VARINT -> ByteUtils.writeVarint((int) value, buffer);
            case VARLONG -> ByteUtils.writeVarlong(value, buffer);
            case UVARINT -> ByteUtils.writeUnsignedVarint((int) value, buffer);
        }
        buffer.flip();
        if (read(form, buffer.duplicate()) != value) {
            throw new IllegalStateException(form + " " + value + " is not read back");
        }
        return buffer;
    }

    private static long read(Form form, ByteBuffer buffer) {
        return switch (form) {
            case VARINT -> ByteUtils.readVarint(buffer);
            case VARLONG -> ByteUtils.readVarlong(buffer);
            case UVARINT -> ByteUtils.readUnsignedVarint(buffer);
        };
    }

    private static String name(Form form) {
        return form.name().toLowerCase(Locale.ROOT);
    }

    private static String text(Form form, long value) {
        return switch (form) {
            case VARINT, VARLONG -> String.valueOf(value);
            case UVARINT -> Integer.toUnsignedString((int) value);
        };
    }
}
