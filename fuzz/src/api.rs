//! Which message an input is.

use bytes::{Buf, Bytes};
use kafka_protocol::ApiKey;

/// Takes an API and a version of it off the front: two int16, as in a request's header.
///
/// What is unknown stands for something known, so that no input is wasted. `None` if the input is
/// too short.
pub fn api_at_front(input: &mut Bytes) -> Option<(ApiKey, i16)> {
    let key = ApiKey(input.try_get_i16().ok()?);
    let version = input.try_get_i16().ok()?;
    let key = match key.versions() {
        Some(_) => key,
        None => ApiKey::ALL[usize::from(key.0 as u16) % ApiKey::ALL.len()],
    };
    let versions = key.versions()?;
    if versions.contains(version) {
        return Some((key, version));
    }
    let count = versions.max - versions.min + 1;
    Some((key, versions.min + version.rem_euclid(count)))
}
