import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What Kafka's own producer does with records. */
final class Sender {
    private Sender() {}

    /**
     * Reads {@code TOPIC PARTITION TIMESTAMP KEY VALUE HEADERS}, where partition and timestamp may
     * be {@code -}, and answers each with {@code PARTITION OFFSET TIMESTAMP}.
     */
    static void send(
            String bootstrapServers, List<String> arguments, BufferedReader in, PrintWriter out)
            throws Exception {
        List<String> lines = readUntilEmpty(in);
        Map<String, Object> properties = new HashMap<>(Text.properties(arguments));
        properties.put("bootstrap.servers", bootstrapServers);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(
                properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line : lines) {
                sent.add(producer.send(record(line)));
            }
        }
        for (Future<RecordMetadata> future : sent) {
            RecordMetadata metadata = future.get();
            out.println(
                metadata.partition() + " " + metadata.offset() + " " + metadata.timestamp());
        }
    }

    private static List<String> readUntilEmpty(BufferedReader in) throws IOException {
        List<String> lines = new ArrayList<>();
        for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
            lines.add(line);
        }
        return lines;
    }

    private static ProducerRecord<byte[], byte[]> record(String line) {
        String[] words = line.split(" ");
        return new ProducerRecord<>(
            words[0],
            words[1].equals("-") ? null : Integer.valueOf(words[1]),
            words[2].equals("-") ? null : Long.valueOf(words[2]),
            Text.bytes(words[3]),
            Text.bytes(words[4]),
            Text.headers(words[5]));
    }
}
