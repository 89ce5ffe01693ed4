import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What Kafka's own consumer reads, CRCs checked. */
final class Log implements AutoCloseable {
    /** For how long no record may come before what is missing counts as lost. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final Consumer<byte[], byte[]> consumer;

    Log(String bootstrapServers) {
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", bootstrapServers,
            "check.crcs", true,
            "enable.auto.commit", false);
        consumer = new KafkaConsumer<>(
            properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /**
     * A line for each record: {@code TOPIC PARTITION OFFSET TIMESTAMP TIMESTAMP_TYPE KEY VALUE
     * HEADERS}.
     */
    void dump(List<String> arguments, PrintWriter out) {
        long expected = Long.parseLong(arguments.get(0));
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : arguments.subList(1, arguments.size())) {
            consumer.partitionsFor(topic)
                .forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        }
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        long count = 0;
        long lastRecord = System.nanoTime();
        while (count < expected || !isAtEnd(partitions)) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                out.println(line(record));
                count++;
                lastRecord = System.nanoTime();
            }
            if (System.nanoTime() - lastRecord > PATIENCE.toNanos()) {
                break;
            }
        }
        consumer.unsubscribe();
    }

    private boolean isAtEnd(List<TopicPartition> partitions) {
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        return partitions.stream().allMatch(p -> consumer.position(p) >= ends.get(p));
    }

    private static String line(ConsumerRecord<byte[], byte[]> record) {
        return String.join(" ",
            record.topic(),
            Integer.toString(record.partition()),
            Long.toString(record.offset()),
            Long.toString(record.timestamp()),
            record.timestampType().name,
            Text.of(record.key()),
            Text.of(record.value()),
            Text.of(record.headers()));
    }

    @Override
    public void close() {
        consumer.close();
    }
}
