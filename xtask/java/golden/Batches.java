import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.IntStream;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.LeaderChangeMessage.Voter;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecords.RecordFilter;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.internals.BufferSupplier;

/** The golden record batches by name. */
final class Batches {
    /** A batch with what its bytes do not tell: why it is here, and its compression level. */
    record Batch(String about, String level, ByteBuffer bytes) {
        GoldenFile toText() {
            GoldenFile file = new GoldenFile(about);
            file.line("level: " + level);
            file.lines(BatchText.of(bytes));
            return file;
        }
    }

    private static final byte MAGIC = RecordBatch.CURRENT_MAGIC_VALUE;
    private static final String NO_LEVEL = "-";
    private static final int BUFFER_BYTES = 1 << 20;

    private final Map<String, Batch> batches = new TreeMap<>();

    private Batches() {}

    static Map<String, Batch> all() {
        Batches batches = new Batches();
        batches.addCodecs();
        batches.addProducers();
        batches.addControl();
        batches.addAppendTime();
        batches.addCleaned();
        batches.addOldMagic();
        return batches.batches;
    }

    /**
     * Every codec at every level; of zstd's, of which there are 131095, those from -22 on, some beyond,
     * and the last. And what {@link #all} has of magic 2.
     */
    static Map<String, ByteBuffer> everyLevel() {
        Map<String, ByteBuffer> batches = new TreeMap<>();
        all().forEach((name, batch) -> {
            if (!name.startsWith("magic")) {
                batches.put(name, batch.bytes());
            }
        });
        Map<String, Compression> levels = new TreeMap<>();
        levels.put("none_none", Compression.NONE);
        levels.put("snappy_none", Compression.snappy().build());
        IntStream.concat(IntStream.of(-1), IntStream.rangeClosed(1, 9)).forEach(level ->
            levels.put("gzip_" + level, Compression.gzip().level(level).build()));
        IntStream.rangeClosed(1, 17).forEach(level ->
            levels.put("lz4_" + level, Compression.lz4().level(level).build()));
        IntStream.concat(IntStream.of(-131_072, -1_000, -100), IntStream.rangeClosed(-22, 22))
            .forEach(level -> levels.put("zstd_" + level, Compression.zstd().level(level).build()));
        levels.forEach((name, compression) -> {
            Writer writer = new Writer().compression(compression);
            batches.put(name + "_single", writer.write(GoldenRecords.single()));
            batches.put(name + "_mixed", writer.write(GoldenRecords.mixed()));
            batches.put(name + "_large", writer.write(GoldenRecords.large()));
        });
        return batches;
    }

    private void addCodecs() {
        for (CompressionType type : CompressionType.values()) {
            Compression compression = Compression.of(type).build();
            boolean hasLevel = type != CompressionType.NONE && type != CompressionType.SNAPPY;
            String level = hasLevel ? String.valueOf(type.defaultLevel()) : NO_LEVEL;
            batches.put(type.name + "_mixed", new Batch(
                "Null, empty and longer keys, values and headers; timestamps far apart.",
                level, new Writer().compression(compression).write(GoldenRecords.mixed())));
            batches.put(type.name + "_single", new Batch(
                "One record.",
                level, new Writer().compression(compression).write(GoldenRecords.single())));
            batches.put(type.name + "_large", new Batch(
                "About 100 KB uncompressed: several blocks in every block-wise codec.",
                level, new Writer().compression(compression).write(GoldenRecords.large())));
        }
    }

    private void addProducers() {
        add("base_offset", "Base offset and leader epoch beyond 32 and 16 bits.",
            new Writer().baseOffset(5_000_000_000L).leaderEpoch(70_000).write(GoldenRecords.few()));
        add("idempotent", "Producer id, epoch and sequence, not transactional.",
            new Writer().producer(4_294_967_298L, 513, 66_051).write(GoldenRecords.few()));
        add("idempotent_sequence_wrap", "The sequence goes from its maximum to 0 in the batch.",
            new Writer().producer(9, 32_767, Integer.MAX_VALUE - 1).write(GoldenRecords.few()));
        add("transactional", "Part of a transaction.",
            new Writer().producer(4_000, 7, 12).transactional().write(GoldenRecords.few()));
    }

    private void addControl() {
        add("control_commit", "Transaction marker COMMIT of coordinator epoch 21.",
            endTransaction(ControlRecordType.COMMIT, 21));
        add("control_abort", "Transaction marker ABORT of coordinator epoch 22.",
            endTransaction(ControlRecordType.ABORT, 22));

        LeaderChangeMessage change = new LeaderChangeMessage()
            .setLeaderId(2)
            .setVoters(List.of(voter(1), voter(2), voter(3)))
            .setGrantingVoters(List.of(voter(2), voter(3)));
        add("control_leader_change", "Leader 2 of voters 1, 2, 3 elected by 2 and 3.",
            MemoryRecords.withLeaderChangeMessage(
                40, GoldenRecords.NOON, 6, ByteBuffer.allocate(BUFFER_BYTES), change).buffer());
    }

    private void addAppendTime() {
        add("log_append_time",
            "Stamped by the broker: the records' own timestamps stay in the bytes but are void.",
            new Writer().logAppendTime(GoldenRecords.NOON + 1_234).write(GoldenRecords.few()));
    }

    private void addCleaned() {
        ByteBuffer source = new Writer()
            .baseOffset(100).producer(77, 1, 5).transactional().write(GoldenRecords.few());
        add("compacted",
            "The cleaner removed the first record and the last two: base and last offset stay.",
            cleaned(source, record -> record.offset() == 101 || record.offset() == 102));
        add("delete_horizon",
            "The cleaner kept a tombstone and set its delete horizon as the base timestamp.",
            cleaned(source, record -> record.offset() > 101));

        ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(empty, MAGIC, 77, (short) 1, 5, 100, 104, 3,
            TimestampType.CREATE_TIME, GoldenRecords.NOON, true, false);
        empty.flip();
        add("empty", "All records removed; the header keeps the producer's last sequence.", empty);
    }

    private void addOldMagic() {
        add("magic0", "Message set of magic 0: no timestamps.",
            new Writer().magic(RecordBatch.MAGIC_VALUE_V0).write(GoldenRecords.old()));
        add("magic1", "Message set of magic 1.",
            new Writer().magic(RecordBatch.MAGIC_VALUE_V1).write(GoldenRecords.old()));
    }

    private void add(String name, String about, ByteBuffer bytes) {
        batches.put(name, new Batch(about, NO_LEVEL, bytes));
    }

    private static ByteBuffer endTransaction(ControlRecordType type, int coordinatorEpoch) {
        return MemoryRecords.withEndTransactionMarker(
            1_000, GoldenRecords.NOON, 8, 4_000, (short) 7,
            new EndTransactionMarker(type, coordinatorEpoch)).buffer();
    }

    private static Voter voter(int id) {
        return new Voter().setVoterId(id);
    }

    /** As the log cleaner does it, at noon, with a retention of an hour for tombstones. */
    private static ByteBuffer cleaned(ByteBuffer source, Predicate<Record> retain) {
        RecordFilter filter = new RecordFilter(GoldenRecords.NOON, 3_600_000) {
            @Override
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(BatchRetention.DELETE_EMPTY, false);
            }

            @Override
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return retain.test(record);
            }
        };
        ByteBuffer destination = ByteBuffer.allocate(BUFFER_BYTES);
        ByteBuffer output = MemoryRecords.readableRecords(source)
            .filterTo(filter, destination, BufferSupplier.NO_CACHING, BUFFER_BYTES)
            .outputBuffer();
        output.flip();
        return output;
    }

    /** Kafka's builder with every argument by name, and none taken from a clock. */
    private static final class Writer {
        private byte magic = MAGIC;
        private Compression compression = Compression.NONE;
        private TimestampType timestampType = TimestampType.CREATE_TIME;
        private long logAppendTime = RecordBatch.NO_TIMESTAMP;
        private long baseOffset = 0;
        private int leaderEpoch = RecordBatch.NO_PARTITION_LEADER_EPOCH;
        private long producerId = RecordBatch.NO_PRODUCER_ID;
        private short producerEpoch = RecordBatch.NO_PRODUCER_EPOCH;
        private int baseSequence = RecordBatch.NO_SEQUENCE;
        private boolean transactional = false;

        Writer magic(byte magic) {
            this.magic = magic;
            return this;
        }

        Writer compression(Compression compression) {
            this.compression = compression;
            return this;
        }

        Writer logAppendTime(long timestamp) {
            timestampType = TimestampType.LOG_APPEND_TIME;
            logAppendTime = timestamp;
            return this;
        }

        Writer baseOffset(long offset) {
            baseOffset = offset;
            return this;
        }

        Writer leaderEpoch(int epoch) {
            leaderEpoch = epoch;
            return this;
        }

        Writer producer(long id, int epoch, int sequence) {
            producerId = id;
            producerEpoch = (short) epoch;
            baseSequence = sequence;
            return this;
        }

        Writer transactional() {
            transactional = true;
            return this;
        }

        ByteBuffer write(List<SimpleRecord> records) {
            try (MemoryRecordsBuilder builder = MemoryRecords.builder(
                    ByteBuffer.allocate(BUFFER_BYTES), magic, compression, timestampType,
                    baseOffset, logAppendTime, producerId, producerEpoch, baseSequence,
                    transactional, false, leaderEpoch)) {
                records.forEach(builder::append);
                return builder.build().buffer();
            }
        }
    }
}
