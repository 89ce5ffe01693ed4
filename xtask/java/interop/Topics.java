import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.RecordBatch;

/** Makes topics, and looks at what the brokers, which run on this machine, keep of them on disk. */
final class Topics implements AutoCloseable {
    private final Admin admin;

    Topics(String bootstrapServers) {
        admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers));
    }

    /** Does not wait until the brokers know the topic. */
    void create(List<String> arguments) throws Exception {
        NewTopic topic = new NewTopic(
            arguments.get(0),
            Integer.parseInt(arguments.get(1)),
            Short.parseShort(arguments.get(2)));
        topic.configs(Text.properties(arguments.subList(3, arguments.size())));
        admin.createTopics(List.of(topic)).all().get();
    }

    /** Its files are gone as soon as its {@code file.delete.delay.ms} says. */
    void delete(List<String> arguments) throws Exception {
        admin.deleteTopics(arguments).all().get();
    }

    /** How many records were ever written to the topic, where nothing was removed or transactional. */
    void count(List<String> arguments, PrintWriter out) throws Exception {
        String topic = arguments.get(0);
        var description = admin.describeTopics(arguments).allTopicNames().get().get(topic);
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        description.partitions().forEach(partition ->
            ends.put(new TopicPartition(topic, partition.partition()), OffsetSpec.latest()));
        out.println(admin.listOffsets(ends).all().get().values().stream()
            .mapToLong(ListOffsetsResultInfo::offset)
            .sum());
    }

    /** Waits until the brokers have so many replicas of partitions of the topic on disk. */
    void await(List<String> arguments) throws Exception {
        int replicas = Integer.parseInt(arguments.get(1));
        while (folders(arguments.get(0)).size() < replicas) {
            Thread.sleep(10);
        }
    }

    /** {@code CODEC BATCHES} for each codec; the replicas of a partition count one by one. */
    void batches(List<String> arguments, PrintWriter out) throws Exception {
        Map<String, Long> counts = new TreeMap<>();
        for (File folder : folders(arguments.get(0))) {
            count(folder, counts);
        }
        counts.forEach((codec, count) -> out.println(codec + " " + count));
    }

    /** Where all replicas of a topic are. */
    private List<File> folders(String topic) throws Exception {
        List<Integer> brokers =
            admin.describeCluster().nodes().get().stream().map(Node::id).toList();
        List<File> folders = new ArrayList<>();
        for (var logDirs : admin.describeLogDirs(brokers).allDescriptions().get().values()) {
            for (Map.Entry<String, LogDirDescription> logDir : logDirs.entrySet()) {
                for (TopicPartition partition : logDir.getValue().replicaInfos().keySet()) {
                    if (topic.equals(partition.topic())) {
                        folders.add(new File(logDir.getKey(), partition.toString()));
                    }
                }
            }
        }
        return folders;
    }

    private static void count(File folder, Map<String, Long> counts) throws IOException {
        File[] segments = folder.listFiles((dir, name) -> name.endsWith(".log"));
        for (File segment : segments) {
            try (FileRecords records = FileRecords.open(segment, false)) {
                for (RecordBatch batch : records.batches()) {
                    counts.merge(batch.compressionType().name, 1L, Long::sum);
                }
            }
        }
    }

    @Override
    public void close() {
        admin.close();
    }
}
