import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;

import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/** Tagged fields that no version of Kafka knows, as a newer peer might send them. */
final class UnknownTags {
    /** Between them, tags and sizes need varints of one, two and three bytes. */
    private static final int ONE_BYTE_TAG = 77;
    private static final int TWO_BYTE_TAG = 300;
    private static final int THREE_BYTE_TAG = 20_000;

    private UnknownTags() {}

    /**
     * Adds three to the message and two to every struct in it, tagged structs too; but none to a
     * struct of defaults, which with a tag would no longer be one, and not every version has it.
     */
    static void addTo(Message message) throws ReflectiveOperationException {
        add(message, ONE_BYTE_TAG, name(message));
        add(message, TWO_BYTE_TAG, GoldenRecords.counted(200));
        add(message, THREE_BYTE_TAG, new byte[] {1});
        addToStructsIn(message);
    }

    private static void addToStructsIn(Message message) throws ReflectiveOperationException {
        for (Method getter : getters(message)) {
            Object value = getter.invoke(message);
            if (value instanceof Message struct) {
                addToStruct(struct);
            } else if (value instanceof Collection<?> elements) {
                for (Object element : elements) {
                    if (element instanceof Message struct) {
                        addToStruct(struct);
                    }
                }
            }
        }
    }

    private static void addToStruct(Message struct) throws ReflectiveOperationException {
        if (struct.equals(struct.getClass().getConstructor().newInstance())) {
            return;
        }
        add(struct, ONE_BYTE_TAG, name(struct));
        add(struct, TWO_BYTE_TAG, new byte[0]);
        addToStructsIn(struct);
    }

    private static void add(Message message, int tag, byte[] data) {
        message.unknownTaggedFields().add(new RawTaggedField(tag, data));
    }

    /** A struct's own name is its data, so that two structs mixed up are seen. */
    private static byte[] name(Message message) {
        return message.getClass().getSimpleName().getBytes(StandardCharsets.UTF_8);
    }

    private static Iterable<Method> getters(Message message) {
        return Arrays.stream(message.getClass().getDeclaredMethods())
            .filter(method -> method.getParameterCount() == 0)
            .filter(method -> Message.class.isAssignableFrom(method.getReturnType())
                || Collection.class.isAssignableFrom(method.getReturnType()))
            .filter(method -> !method.getName().equals("duplicate"))
            .sorted(Comparator.comparing(Method::getName))
            .toList();
    }
}
