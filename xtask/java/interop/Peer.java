import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Does with Kafka's own clients what the tests in kafka-producer/tests/interop ask for, a command a
 * line on standard input, until that ends. One process for all tests: to start Java takes a second.
 *
 * <pre>
 * create TOPIC PARTITIONS REPLICAS [PROPERTY=VALUE]...
 * await TOPIC REPLICAS      until so many replicas are there
 * count TOPIC               how many records were written to it
 * delete TOPIC
 * dump COUNT TOPIC...       all records of the topics; waits for so many of them if there are less
 * batches TOPIC             how many batches of each codec the brokers have on disk
 * send [PROPERTY=VALUE]...  the records of the lines that follow, up to an empty one
 * </pre>
 *
 * Lines of results are followed by {@code ok}, or by {@code error} and why. Their words are in
 * {@link Text}.
 */
public final class Peer {
    private Peer() {}

    public static void main(String[] args) throws IOException {
        if (args.length != 1) {
            System.err.println("usage: Peer BOOTSTRAP_SERVERS");
            System.exit(2);
        }
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintWriter out = new PrintWriter(new BufferedWriter(
            new OutputStreamWriter(System.out, StandardCharsets.US_ASCII), 1 << 16));
        try (Topics topics = new Topics(args[0]); Log log = new Log(args[0])) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                try {
                    List<String> words = List.of(line.split(" "));
                    List<String> arguments = words.subList(1, words.size());
                    switch (words.get(0)) {
                        case "create" -> topics.create(arguments);
                        case "await" -> topics.await(arguments);
                        case "count" -> topics.count(arguments, out);
                        case "delete" -> topics.delete(arguments);
                        case "dump" -> log.dump(arguments, out);
                        case "batches" -> topics.batches(arguments, out);
                        case "send" -> Sender.send(args[0], arguments, in, out);
                        default -> throw new IllegalArgumentException("no such command");
                    }
                    out.println("ok");
                } catch (Exception e) {
                    out.println("error " + e.toString().replace('\n', ' '));
                }
                out.flush();
            }
        }
    }
}
