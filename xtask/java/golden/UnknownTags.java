import java.io.IOException;
import java.util.Iterator;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;

import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/** Tagged fields that no version of Kafka knows, as a newer peer might send them. */
final class UnknownTags {
    /** Where an object of a case has them: a list of pairs, tag and base64. Converters pass it over. */
    static final String KEY = "unknownTaggedFields";

    private UnknownTags() {}

    /** Gives to the message, and to every struct in it, the tags of the JSON it was made of. */
    static void addTo(Message message, JsonNode json) throws IOException, ReflectiveOperationException {
        for (Map.Entry<String, JsonNode> entry : json.properties()) {
            JsonNode value = entry.getValue();
            if (entry.getKey().equals(KEY)) {
                for (JsonNode tag : value) {
                    message.unknownTaggedFields()
                        .add(new RawTaggedField(tag.get(0).intValue(), tag.get(1).binaryValue()));
                }
            } else if (value.isContainerNode()) {
                addToField(message.getClass().getMethod(entry.getKey()).invoke(message), value);
            }
        }
    }

    private static void addToField(Object field, JsonNode json)
            throws IOException, ReflectiveOperationException {
        if (field instanceof Message struct) {
            addTo(struct, json);
        } else if (field instanceof Iterable<?> elements) {
            Iterator<JsonNode> values = json.iterator();
            for (Object element : elements) {
                addToField(element, values.next());
            }
        }
    }
}
