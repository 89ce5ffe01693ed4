import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;

import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.Message;

/**
 * Writes messages that are given as JSON, and reads again what it wrote.
 *
 * <p>A case is a line {@code MESSAGE VERSION READ_AS FAMILY JSON}: a value with the fields of version
 * READ_AS, to be written in VERSION. Its answer is a line too: hex, {@code -} for no bytes at all, or
 * {@code refused} if that version cannot say it.
 */
final class MessageCases {
    private static final int FAILURES_MAX = 20;
    /** The names of fields of records: their converters read them, but only write their size. */
    private static final List<String> RECORDS = List.of("records", "unalignedRecords");
    private static final String REFUSED = "refused";

    private final ObjectMapper mapper = new ObjectMapper();
    private final Map<String, MessageType> types = new TreeMap<>();
    private final Map<String, TreeSet<Short>> versions = new TreeMap<>();
    private final List<String> failures = new ArrayList<>();
    private int count = 0;

    /** Fails if Java is not of one mind with itself, or has a message or version without a case. */
    static void write(Path input, Path output) throws IOException, ReflectiveOperationException {
        MessageCases cases = new MessageCases();
        try (BufferedReader reader = Files.newBufferedReader(input);
                BufferedWriter writer = Files.newBufferedWriter(output)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                writer.write(cases.answer(line));
                writer.write('\n');
            }
        }
        cases.checkMatrix();
        if (!cases.failures.isEmpty()) {
            throw new IllegalStateException(String.join("\n", cases.failures));
        }
        System.out.println("Java wrote " + cases.count + " cases");
    }

    private String answer(String line) throws IOException, ReflectiveOperationException {
        String[] words = line.split(" ", 5);
        String name = words[0];
        short version = Short.parseShort(words[1]);
        short readAs = Short.parseShort(words[2]);
        if (!types.containsKey(name)) {
            types.put(name, new MessageType(name));
        }
        versions.computeIfAbsent(name, key -> new TreeSet<>()).add(version);
        count++;
        try {
            return answer(types.get(name), mapper.readTree(words[4]), version, readAs);
        } catch (RuntimeException e) {
            if (failures.size() < FAILURES_MAX) {
                failures.add(name + " v" + version + " " + words[3] + ": " + e);
            }
            return "failed";
        }
    }

    private String answer(MessageType type, JsonNode json, short version, short readAs)
            throws IOException, ReflectiveOperationException {
        Message message = type.fromJson(json, readAs);
        UnknownTags.addTo(message, json);
        ByteBuffer bytes;
        try {
            bytes = type.encode(message, version);
        } catch (UnsupportedVersionException e) {
            return REFUSED;
        }
        Message again = type.decode(bytes, version);
        if (!type.encode(again, version).equals(bytes)) {
            throw new IllegalStateException("read and written again differs: " + again);
        }
        if (version == readAs) {
            checkSame(message, again);
            expectJson(json);
            // As text and back, so that numbers of all widths are equal if their digits are.
            checkSame(json, mapper.readTree(type.toJson(again, version).toString()));
        }
        return bytes.hasRemaining() ? GoldenFile.hex(bytes) : "-";
    }

    private static void checkSame(Object expected, Object actual) {
        if (!expected.equals(actual)) {
            throw new IllegalStateException(actual + " was read, expected was " + expected);
        }
    }

    /** Makes of what was read what Java writes: no unknown tags, and of records only the size. */
    private static void expectJson(JsonNode node) throws IOException {
        if (node instanceof ObjectNode object) {
            object.remove(UnknownTags.KEY);
            for (String field : RECORDS) {
                if (object.get(field) instanceof TextNode records) {
                    object.remove(field);
                    object.set(field + "SizeInBytes", new IntNode(records.binaryValue().length));
                }
            }
        }
        for (JsonNode child : node) {
            expectJson(child);
        }
    }

    /** Each message of Kafka's jar that has a JSON converter, in each version that its class knows. */
    private void checkMatrix() throws IOException, ReflectiveOperationException {
        Map<String, TreeSet<Short>> expected = new TreeMap<>();
        for (String name : MessageType.all()) {
            Message message = new MessageType(name).create();
            TreeSet<Short> of = new TreeSet<>();
            for (int v = message.lowestSupportedVersion(); v <= message.highestSupportedVersion(); v++) {
                of.add((short) v);
            }
            expected.put(name, of);
        }
        checkSame(expected, versions);
    }
}
