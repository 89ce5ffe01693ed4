import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.Message;

/** Golden files of one message: each case of its case file at every version Java accepts. */
final class Messages {
    private static final String DEFAULTS = "defaults";
    private static final String UNKNOWN_TAGS_PREFIX = "unknown_tags";
    /** A records field of a case names a golden batch, whose bytes it stands for. */
    private static final String BATCH_PREFIX = "batch:";

    private final String name;
    private final MessageType type;
    private final short oldest;
    private final short latest;
    private final Map<String, Message> cases = new TreeMap<>();

    /** Fields of the case file not yet seen in any version: in the end, the misspelt ones. */
    private final Set<String> unseenFields = new TreeSet<>();
    private final Set<String> casesWritten = new TreeSet<>();
    private final List<String> skips = new ArrayList<>();
    private final List<String> hexLines = new ArrayList<>();
    private final List<String> jsonLines = new ArrayList<>();

    /** Writes {@code <Message>.txt} and {@code <Message>.json.txt} into {@code output}. */
    static void write(Path caseFile, Path output, Map<String, Batches.Batch> batches)
            throws IOException, ReflectiveOperationException {
        Messages messages = new Messages(Golden.stem(caseFile));
        messages.readCases(caseFile, batches);
        messages.makeLines();
        messages.checkCaseFile();
        messages.writeFiles(output);
    }

    private Messages(String name) throws ReflectiveOperationException {
        this.name = name;
        type = new MessageType(name);
        Message defaults = type.create();
        oldest = defaults.lowestSupportedVersion();
        latest = defaults.highestSupportedVersion();
        cases.put(DEFAULTS, defaults);
    }

    private void readCases(Path caseFile, Map<String, Batches.Batch> batches)
            throws IOException, ReflectiveOperationException {
        ObjectMapper mapper =
            new ObjectMapper().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);
        for (Map.Entry<String, JsonNode> entry : mapper.readTree(caseFile.toFile()).properties()) {
            insertBatches(entry.getValue(), batches);
            addFieldPaths("", entry.getValue(), unseenFields);
            // Read as the latest version, which insists on its own fields and keeps those of
            // older versions too: so versions differ only in what is written.
            Message message = type.fromJson(entry.getValue(), latest);
            if (entry.getKey().startsWith(UNKNOWN_TAGS_PREFIX)) {
                UnknownTags.addTo(message);
            }
            cases.put(entry.getKey(), message);
        }
    }

    private void makeLines() {
        for (short version = oldest; version <= latest; version++) {
            for (Map.Entry<String, Message> entry : cases.entrySet()) {
                String start = "v" + version + " " + entry.getKey();
                ByteBuffer bytes;
                try {
                    bytes = type.encode(entry.getValue(), version);
                } catch (UnsupportedVersionException e) {
                    skips.add(start + ": " + e.getMessage());
                    continue;
                } catch (NullPointerException e) {
                    skips.add(start + ": NullPointerException, a field is not nullable");
                    continue;
                }
                JsonNode json = readAgain(bytes, version);
                hexLines.add(start + " " + (bytes.hasRemaining() ? GoldenFile.hex(bytes) : "-"));
                jsonLines.add(start + " " + json);
                casesWritten.add(entry.getKey());
                Set<String> fields = new TreeSet<>();
                addFieldPaths("", json, fields);
                unseenFields.removeAll(fields);
            }
        }
    }

    /** As Java reads the bytes, after a check that it writes the same bytes again. */
    private JsonNode readAgain(ByteBuffer bytes, short version) {
        Message decoded = type.decode(bytes, version);
        if (!type.encode(decoded, version).equals(bytes)) {
            throw new IllegalStateException(
                name + " v" + version + " read and written again differs: " + decoded);
        }
        return type.toJson(decoded, version);
    }

    private void checkCaseFile() {
        if (!casesWritten.equals(cases.keySet())) {
            throw new IllegalArgumentException(
                name + ": no version takes all of a case; taken are " + casesWritten);
        }
        if (!unseenFields.isEmpty()) {
            throw new IllegalArgumentException(
                name + ": fields in the case file but in no version: " + unseenFields);
        }
    }

    private void writeFiles(Path output) throws IOException {
        GoldenFile hexFile = new GoldenFile(
            "vVERSION CASE HEX, where - is no bytes at all",
            "skip vVERSION CASE: why Java does not write the case at this version");
        skips.forEach(skip -> hexFile.comment("skip " + skip));
        hexFile.lines(hexLines);
        hexFile.writeTo(output.resolve(name + ".txt"));

        GoldenFile jsonFile = new GoldenFile(
            "vVERSION CASE JSON, which is what Java reads in the same line of " + name + ".txt");
        jsonFile.lines(jsonLines);
        jsonFile.writeTo(output.resolve(name + ".json.txt"));
    }

    private static void insertBatches(JsonNode node, Map<String, Batches.Batch> batches) {
        if (node instanceof ObjectNode object) {
            for (Map.Entry<String, JsonNode> entry : object.properties()) {
                String text = entry.getValue().asText();
                if (text.startsWith(BATCH_PREFIX)) {
                    Batches.Batch batch = batches.get(text.substring(BATCH_PREFIX.length()));
                    entry.setValue(new BinaryNode(GoldenFile.bytes(batch.bytes())));
                }
            }
        }
        node.forEach(child -> insertBatches(child, batches));
    }

    private static void addFieldPaths(String prefix, JsonNode node, Set<String> paths) {
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            // Java's JSON gives of records the size only.
            String path = prefix + "." + entry.getKey().replace("recordsSizeInBytes", "records");
            paths.add(path);
            addFieldPaths(path, entry.getValue(), paths);
        }
        if (node.isArray()) {
            node.forEach(element -> addFieldPaths(prefix, element, paths));
        }
    }
}
