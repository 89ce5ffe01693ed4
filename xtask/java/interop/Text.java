import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * Bytes and headers as words of a line.
 *
 * <pre>
 * bytes    LENGTH:HEX, or null
 * headers  KEY=VALUE,KEY=VALUE..., each of them bytes, or - if there are none
 * </pre>
 */
final class Text {
    private Text() {}

    static String of(byte[] bytes) {
        return bytes == null ? "null" : bytes.length + ":" + HexFormat.of().formatHex(bytes);
    }

    static String of(Headers headers) {
        String text = Stream.of(headers.toArray())
            .map(Text::of)
            .collect(Collectors.joining(","));
        return text.isEmpty() ? "-" : text;
    }

    private static String of(Header header) {
        return of(header.key().getBytes(StandardCharsets.UTF_8)) + "=" + of(header.value());
    }

    static byte[] bytes(String text) {
        int hex = text.indexOf(':') + 1;
        return text.equals("null") ? null : HexFormat.of().parseHex(text, hex, text.length());
    }

    static Headers headers(String text) {
        Headers headers = new RecordHeaders();
        if (!text.equals("-")) {
            for (String header : text.split(",")) {
                String[] parts = header.split("=");
                String key = new String(bytes(parts[0]), StandardCharsets.UTF_8);
                headers.add((Header) new RecordHeader(key, bytes(parts[1])));
            }
        }
        return headers;
    }

    /** Of {@code PROPERTY=VALUE} words. */
    static Map<String, String> properties(Iterable<String> words) {
        Map<String, String> properties = new TreeMap<>();
        for (String word : words) {
            int equals = word.indexOf('=');
            properties.put(word.substring(0, equals), word.substring(equals + 1));
        }
        return properties;
    }
}
