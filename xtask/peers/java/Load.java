import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

import org.HdrHistogram.Histogram;
import org.HdrHistogram.SynchronizedHistogram;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/** Records on their way. */
final class Load {
    /** Flat out, one record of so many is timed. */
    private static final int TIMED = 64;

    /** Flat out, so many records go between two looks at the clock. */
    private static final int AT_ONCE = 1024;

    private static final long LATENCY_MAX = TimeUnit.MINUTES.toNanos(1);

    private final Work work;
    private final Producer<byte[], byte[]> producer;
    /** One callback for all records that are not timed. */
    private final Callback acknowledged = this::settle;
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private final AtomicLong settled = new AtomicLong();
    /** Callbacks run on one thread, but for those of records that never got into a batch. */
    private final Histogram latency = new SynchronizedHistogram(LATENCY_MAX, 3);

    private long sent;

    Load(Work work, Producer<byte[], byte[]> producer) {
        this.work = work;
        this.producer = producer;
    }

    /**
     * Sends so many records, or for so long, and returns behind the last acknowledgement. {@code send}
     * itself waits while the buffer is full. With a rate, what is due is sent every millisecond.
     */
    void deliver(long records, long time) throws Exception {
        long begin = System.nanoTime();
        for (long tick = 1; sent < records && System.nanoTime() - begin < time; tick++) {
            long due = Math.min(records, sent + AT_ONCE);
            if (work.rate() != 0) {
                waitUntil(begin + TimeUnit.MILLISECONDS.toNanos(tick));
                long elapsed = System.nanoTime() - begin;
                due = Math.min(records, elapsed * work.rate() / TimeUnit.SECONDS.toNanos(1));
            }
            while (sent < due) {
                send(sent++);
            }
        }
        producer.flush();
        if (failure.get() != null) {
            throw failure.get();
        }
        if (settled.get() != sent) {
            throw new IllegalStateException(sent + " records, " + settled + " acknowledgements");
        }
    }

    private void send(long number) {
        var record = new ProducerRecord<>(work.topic(), work.key(number), work.value(number));
        if (work.rate() == 0 && number % TIMED != 0) {
            producer.send(record, acknowledged);
            return;
        }
        long begin = System.nanoTime();
        producer.send(record, (metadata, exception) -> {
            latency.recordValue(Math.min(System.nanoTime() - begin, LATENCY_MAX));
            settle(metadata, exception);
        });
    }

    private void settle(RecordMetadata metadata, Exception exception) {
        if (exception != null) {
            failure.compareAndSet(null, exception);
        }
        settled.getAndIncrement();
    }

    private static void waitUntil(long time) {
        for (long left = time - System.nanoTime(); left > 0; left = time - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    long sent() {
        return sent;
    }

    Histogram latency() {
        return latency;
    }
}
