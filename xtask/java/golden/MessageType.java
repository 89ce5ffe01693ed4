import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

import com.fasterxml.jackson.databind.JsonNode;

import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

/** The generated classes of one message: the data and its JSON converter, found by name. */
final class MessageType {
    private static final String PACKAGE = "org.apache.kafka.common.message.";
    private static final String CONVERTER = "JsonConverter";

    private final Class<?> dataClass;
    private final Method fromJson;
    private final Method toJson;

    /** {@code name} as in Kafka's schema, such as ProduceRequest. */
    MessageType(String name) throws ReflectiveOperationException {
        String data = PACKAGE + name + (hasSuffix(name) ? "Data" : "");
        dataClass = Class.forName(data);
        Class<?> converter = Class.forName(data + CONVERTER);
        fromJson = converter.getMethod("read", JsonNode.class, short.class);
        toJson = converter.getMethod("write", dataClass, short.class, boolean.class);
    }

    /** The names of all messages in Kafka's jar. */
    static List<String> all() throws IOException {
        Path jar;
        try {
            jar = Path.of(Message.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new IOException(e);
        }
        String folder = PACKAGE.replace('.', '/');
        String ending = CONVERTER + ".class";
        try (JarFile file = new JarFile(jar.toFile())) {
            return file.stream()
                .map(JarEntry::getName)
                .filter(name -> name.startsWith(folder) && name.endsWith(ending))
                .map(name -> name.substring(folder.length(), name.length() - ending.length()))
                // Structs inside messages have converters of their own.
                .filter(name -> !name.contains("$"))
                .map(MessageType::withoutSuffix)
                .sorted()
                .toList();
        }
    }

    private static String withoutSuffix(String dataClass) {
        String name = dataClass.replaceAll("Data$", "");
        return hasSuffix(name) ? name : dataClass;
    }

    /** Requests, responses and headers have Data at the end of their class name. */
    private static boolean hasSuffix(String name) {
        return name.endsWith("Request") || name.endsWith("Response") || name.endsWith("Header");
    }

    /** A message of defaults. */
    Message create() {
        return (Message) call(() -> dataClass.getConstructor().newInstance());
    }

    Message fromJson(JsonNode json, short version) {
        return (Message) call(() -> fromJson.invoke(null, json, version));
    }

    /** Instead of records their size: the converter can only write none, or empty ones. */
    JsonNode toJson(Message message, short version) {
        return (JsonNode) call(() -> toJson.invoke(null, message, version, false));
    }

    ByteBuffer encode(Message message, short version) {
        return MessageUtil.toByteBufferAccessor(message, version).buffer();
    }

    /** Reads all of the buffer. */
    Message decode(ByteBuffer buffer, short version) {
        Message message = create();
        ByteBufferAccessor accessor = new ByteBufferAccessor(buffer.duplicate());
        message.read(accessor, version);
        if (accessor.remaining() != 0) {
            throw new IllegalStateException(dataClass + " left bytes over");
        }
        return message;
    }

    private interface Reflective {
        Object run() throws ReflectiveOperationException;
    }

    /** Throws what the called method throws, not its reflective wrapping. */
    private static Object call(Reflective reflective) {
        try {
            return reflective.run();
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
