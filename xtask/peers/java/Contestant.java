import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

import org.HdrHistogram.Histogram;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own producer as a contestant of {@code cargo xtask bench peers}: it delivers so many records,
 * and tells on one line of JSON what that took.
 *
 * <p>It sends for a second before its clocks start, so that the compiler has seen the code.
 */
public final class Contestant {
    private static final long WARM_UP = TimeUnit.SECONDS.toNanos(1);

    private Contestant() {}

    public static void main(String[] args) {
        try {
            run(new Work(args));
        } catch (Exception e) {
            System.err.println(e.toString().replace('\n', ' '));
            System.exit(1);
        }
    }

    private static void run(Work work) throws Exception {
        ByteArraySerializer bytes = new ByteArraySerializer();
        try (Producer<byte[], byte[]> producer =
                new KafkaProducer<>(work.properties(), bytes, bytes)) {
            producer.send(new ProducerRecord<>(work.topic(), work.value(0))).get();
            Load warmUp = new Load(work, producer);
            warmUp.deliver(Long.MAX_VALUE, WARM_UP);

            Load load = new Load(work, producer);
            double cpu = cpuSeconds();
            long begin = System.nanoTime();
            load.deliver(work.records(), Long.MAX_VALUE);
            double seconds = (System.nanoTime() - begin) / 1e9;
            cpu = cpuSeconds() - cpu;

            Histogram latency = load.latency();
            System.out.println(String.format(Locale.ROOT,
                "{\"client\":\"java\",\"version\":\"%s\",\"records\":%d,\"sent_total\":%d,"
                    + "\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_rss_bytes\":%d,"
                    + "\"latency_us\":{\"count\":%d,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f},"
                    + "\"settings\":\"%s\"}",
                version(producer), load.sent(), 1 + warmUp.sent() + load.sent(),
                seconds, cpu, peakRss(),
                latency.getTotalCount(), micros(latency, 50), micros(latency, 99),
                micros(latency, 99.9), work.settings()));
        }
    }

    private static Object version(Producer<byte[], byte[]> producer) {
        return producer.metrics().values().stream()
            .filter(metric -> metric.metricName().group().equals("app-info"))
            .filter(metric -> metric.metricName().name().equals("version"))
            .findFirst()
            .orElseThrow()
            .metricValue();
    }

    private static double micros(Histogram latency, double percentile) {
        return latency.getValueAtPercentile(percentile) / 1e3;
    }

    /** User and system time of this process. */
    private static double cpuSeconds() {
        var system = (com.sun.management.OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }

    private static long peakRss() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        throw new IOException("no VmHWM in /proc/self/status");
    }
}
