import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;

import org.apache.kafka.common.utils.internals.AppInfoParser;

/** A text file under construction. The same lines give the same bytes on every machine. */
final class GoldenFile {
    private final StringBuilder text = new StringBuilder();

    /** Starts with where the file is from; {@code about} says what its lines are. */
    GoldenFile(String... about) {
        comment("Made by `cargo xtask golden` with kafka-clients " + AppInfoParser.getVersion()
            + "; see README.md. Do not edit.");
        for (String line : about) {
            comment(line);
        }
    }

    void comment(String line) {
        line("# " + line);
    }

    void line(String line) {
        text.append(line).append('\n');
    }

    void lines(List<String> lines) {
        lines.forEach(this::line);
    }

    void writeTo(Path path) throws IOException {
        Files.createDirectories(path.getParent());
        Files.writeString(path, text, StandardCharsets.UTF_8);
    }

    /** What remains in the buffer, which is left as it was. */
    static String hex(ByteBuffer buffer) {
        return HexFormat.of().formatHex(bytes(buffer));
    }

    static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }
}
