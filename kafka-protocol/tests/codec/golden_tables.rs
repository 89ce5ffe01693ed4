//! Java's tables: error codes, APIs and their header versions.

use crate::support::golden_lines;
use kafka_protocol::{ApiKey, ErrorCode, VersionRange};

fn fact<'l>(words: &[&'l str], name: &str) -> &'l str {
    let find = |word: &&'l str| word.strip_prefix(name)?.strip_prefix('=');
    words.iter().find_map(find).expect(name)
}

#[test]
fn error_codes_and_what_they_mean_are_javas() {
    let lines = golden_lines("errors.txt");
    assert_eq!(lines.len(), ErrorCode::ALL.len());
    for (line, &error) in lines.iter().zip(ErrorCode::ALL) {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], error.0.to_string());
        assert_eq!(Some(words[1]), error.name());
        let is = |name| fact(&words, name) == "true";
        assert_eq!(error.is_retriable(), is("retriable"), "{error}");
        assert_eq!(error.refreshes_metadata(), is("invalid_metadata"), "{error}");
        let refreshes = error.refreshes_metadata() || error.refreshes_coordinator();
        assert_eq!(refreshes, is("refresh_retriable"), "{error}");
    }
}

#[test]
fn apis_versions_and_header_versions_are_javas() {
    let mut known = Vec::new();
    for line in golden_lines("apis.txt") {
        let words: Vec<&str> = line.split(' ').collect();
        let key = ApiKey(words[0].parse().expect(&line));
        if words[3] == "none" {
            assert_eq!(key.name(), None, "{line}");
            assert_eq!(key.versions(), None, "{line}");
            continue;
        }
        known.push(key);
        let version = |name| fact(&words, name).parse().expect(&line);
        assert_eq!(key.name(), Some(words[2]));
        let range = |newest| VersionRange::new(version("oldest"), version(newest));
        assert_eq!(key.versions(), Some(range("latest")), "{line}");
        assert_eq!(key.stable_versions(), Some(range("stable")), "{line}");
        for header in fact(&words, "headers").split(',') {
            let (version, headers) = header.split_once(':').expect(&line);
            let version = version.parse().expect(&line);
            let ours = format!(
                "{}/{}",
                key.request_header_version(version).expect(&line),
                key.response_header_version(version).expect(&line)
            );
            assert_eq!(ours, headers, "{key} v{version}");
        }
    }
    assert_eq!(known, ApiKey::ALL);
}
