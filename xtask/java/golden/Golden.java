import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Makes the golden files with Kafka's own Java classes, and shows how those classes read record
 * batches that something else wrote.
 *
 * <pre>
 * Golden write OUTPUT                 all golden files but the messages into OUTPUT
 * Golden write-messages CASES OUTPUT  every case of the file CASES as Java writes it, to the file OUTPUT
 * Golden write-batches OUTPUT         batches of every codec and level: NAME.bin and NAME.txt
 * Golden read-batches INPUT [OUTPUT]  every *.bin in INPUT as text, to files in OUTPUT or to stdout
 * </pre>
 *
 * What the files hold is described in the README.md of their folder: kafka-protocol/tests/golden,
 * and kafka-producer/tests/golden for those that are written to OUTPUT/producer.
 */
public final class Golden {
    private Golden() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("write")) {
            write(Path.of(args[1]));
        } else if (args.length == 3 && args[0].equals("write-messages")) {
            MessageCases.write(Path.of(args[1]), Path.of(args[2]));
        } else if (args.length == 2 && args[0].equals("write-batches")) {
            writeBatches(Path.of(args[1]));
        } else if (args.length == 2 && args[0].equals("read-batches")) {
            readBatches(Path.of(args[1]), null);
        } else if (args.length == 3 && args[0].equals("read-batches")) {
            readBatches(Path.of(args[1]), Path.of(args[2]));
        } else {
            System.err.println("usage: Golden write OUTPUT"
                + " | write-messages CASES OUTPUT | write-batches OUTPUT"
                + " | read-batches INPUT [OUTPUT]");
            System.exit(2);
        }
    }

    private static void write(Path output) throws IOException {
        Map<String, Batches.Batch> batches = Batches.all();
        for (Map.Entry<String, Batches.Batch> entry : batches.entrySet()) {
            entry.getValue().toText().writeTo(output.resolve("batches/" + entry.getKey() + ".txt"));
        }
        Tables.errors().writeTo(output.resolve("errors.txt"));
        Tables.apis().writeTo(output.resolve("apis.txt"));
        Primitives.vectors().writeTo(output.resolve("primitives.txt"));
        Plugins.partitions().writeTo(output.resolve("producer/partitions.txt"));
        Plugins.serializers().writeTo(output.resolve("producer/serializers.txt"));
    }

    private static void writeBatches(Path output) throws IOException {
        for (Map.Entry<String, ByteBuffer> entry : Batches.everyLevel().entrySet()) {
            ByteBuffer bytes = entry.getValue();
            Files.write(output.resolve(entry.getKey() + ".bin"), GoldenFile.bytes(bytes));
            Files.write(output.resolve(entry.getKey() + ".txt"), BatchText.of(bytes));
        }
    }

    /** A file Java refuses gives one {@code error:} line, and exit status 1 in the end. */
    private static void readBatches(Path input, Path output) throws IOException {
        boolean refused = false;
        for (Path path : filesEndingIn(input, ".bin")) {
            List<String> lines;
            try {
                lines = BatchText.of(ByteBuffer.wrap(Files.readAllBytes(path)));
            } catch (RuntimeException e) {
                lines = List.of("error: " + e.getClass().getSimpleName() + ": " + e.getMessage());
                refused = true;
            }
            if (output == null) {
                System.out.println("file: " + stem(path));
                lines.forEach(System.out::println);
            } else {
                Files.createDirectories(output);
                Files.write(output.resolve(stem(path) + ".txt"), lines);
            }
        }
        if (refused) {
            System.exit(1);
        }
    }

    private static List<Path> filesEndingIn(Path folder, String suffix) throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.filter(path -> path.toString().endsWith(suffix)).sorted().toList();
        }
    }

    /** The file's name without folder and ending. */
    static String stem(Path path) {
        String name = path.getFileName().toString();
        return name.substring(0, name.lastIndexOf('.'));
    }
}
