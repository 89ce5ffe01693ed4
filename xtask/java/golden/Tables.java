import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.Collectors;

import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RefreshRetriableException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** Java's enums of error codes and api keys as tables. */
final class Tables {
    private Tables() {}

    static GoldenFile errors() {
        GoldenFile file = new GoldenFile(
            "CODE NAME EXCEPTION|- and whether the exception is a RetriableException,",
            "a RefreshRetriableException, an InvalidMetadataException");
        Arrays.stream(Errors.values())
            .sorted(Comparator.comparingInt(Errors::code))
            .map(Tables::errorLine)
            .forEach(file::line);
        return file;
    }

    private static String errorLine(Errors error) {
        ApiException exception = error.exception();
        return error.code() + " " + error.name()
            + " " + (exception == null ? "-" : exception.getClass().getSimpleName())
            + " retriable=" + (exception instanceof RetriableException)
            + " refresh_retriable=" + (exception instanceof RefreshRetriableException)
            + " invalid_metadata=" + (exception instanceof InvalidMetadataException);
    }

    static GoldenFile apis() {
        GoldenFile file = new GoldenFile(
            "KEY NAME MESSAGE oldest=V latest=V stable=V headers=V:REQUEST/RESPONSE,...",
            "REQUEST and RESPONSE are the header versions at that version of the api.",
            "stable is below latest if the latest version is unstable.",
            "KEY NAME MESSAGE none is an api that was removed.",
            "Brokers announce Produce from version "
                + ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION
                + " on in ApiVersionsResponse, but accept it from the oldest version here.");
        Arrays.stream(ApiKeys.values())
            .sorted(Comparator.comparingInt(api -> api.id))
            .map(Tables::apiLine)
            .forEach(file::line);
        return file;
    }

    private static String apiLine(ApiKeys api) {
        String name = api.id + " " + api.name() + " " + api.name;
        if (!api.hasValidVersion()) {
            return name + " none";
        }
        String headers = api.allVersions().stream()
            .map(version -> version + ":" + api.requestHeaderVersion(version)
                + "/" + api.responseHeaderVersion(version))
            .collect(Collectors.joining(","));
        return name + " oldest=" + api.oldestVersion()
            + " latest=" + api.latestVersion()
            + " stable=" + api.latestVersion(false)
            + " headers=" + headers;
    }
}
