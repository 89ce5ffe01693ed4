//! Which versions of which API a broker announces: those of a release of Kafka, or by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use kafka_protocol::{ApiKey, VersionRange};

use crate::request::APIS;

/// A release of Kafka, from 2.1 to 4.4, of which brokers know the versions of each API.
///
/// ```
/// use kafka_mock::{KafkaVersion, MockConfig};
///
/// let old: KafkaVersion = "2.1".parse()?;
/// let config = MockConfig::new().kafka_version(old);
/// assert_eq!(KafkaVersion::ALL.len(), 23);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KafkaVersion {
    major: u8,
    minor: u8,
}

/// The versions that are announced of each API, if one is not left as it is: `None` for an API that
/// is not there.
pub(crate) type Wanted = BTreeMap<ApiKey, Option<VersionRange>>;

/// What one broker announces.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    wanted: Wanted,
    /// Ascending by API.
    ranges: Vec<(ApiKey, VersionRange)>,
}

/// The APIs of [`MAXIMA`], in its order.
const COLUMNS: [ApiKey; 10] = [
    ApiKey::PRODUCE,
    ApiKey::FETCH,
    ApiKey::LIST_OFFSETS,
    ApiKey::METADATA,
    ApiKey::FIND_COORDINATOR,
    ApiKey::API_VERSIONS,
    ApiKey::CREATE_TOPICS,
    ApiKey::DELETE_TOPICS,
    ApiKey::INIT_PRODUCER_ID,
    ApiKey::DESCRIBE_CLUSTER,
];
/// An API that a release does not have.
const ABSENT: i16 = -1;

/// The highest version of each API in each release, if it is another than in the one before.
///
/// From Kafka's `clients/src/main/resources/common/message/*.json` (before 2.3 `protocol/ApiKeys.java`)
/// of each release branch, held against the history that franz-go's `kversion` keeps of them. What made
/// a version:
///
/// | release | |
/// |---|---|
/// | 2.1 | Produce 7: zstd (KIP-110). Fetch 9, ListOffsets 4, Metadata 7: leader epochs (KIP-320) |
/// | 2.3 | Fetch 11: reading from followers (KIP-392). Metadata 8: operations (KIP-430) |
/// | 2.4 | flexible versions (KIP-482). Produce 8: errors of records (KIP-467). ApiVersions 3 (KIP-511) |
/// | 2.5 | InitProducerId 3: keeping the id after an error (KIP-360) |
/// | 2.7 | InitProducerId 4: `PRODUCER_FENCED` (KIP-588). Create and delete: quotas (KIP-599) |
/// | 2.8 | Metadata 10, Create 7, Delete 6: topic ids (KIP-516). DescribeCluster (KIP-700). Produce 9 is flexible |
/// | 3.0 | FindCoordinator 4: several keys (KIP-699). ListOffsets 7: largest timestamp (KIP-734) |
/// | 3.1 | Fetch 13, Metadata 12: by topic id (KIP-516) |
/// | 3.5 | Fetch 14 and 15, ListOffsets 8: tiered storage (KIP-405), replica state (KIP-903) |
/// | 3.7 | Produce 10, Fetch 16: leader hints (KIP-951). DescribeCluster 1 (KIP-919) |
/// | 3.8 | Produce 11, InitProducerId 5, FindCoordinator 5: `TRANSACTION_ABORTABLE` (KIP-890) |
/// | 3.9 | Fetch 17 (KIP-853), ListOffsets 9 (KIP-1005), FindCoordinator 6 (KIP-932), ApiVersions 4 |
/// | 4.0 | Produce 12 (KIP-890), ListOffsets 10 (KIP-1075), Metadata 13 (KIP-1102), DescribeCluster 2 (KIP-1073) |
/// | 4.1 | Produce 13: topic ids (KIP-516). Fetch 18 (KIP-1166) |
/// | 4.2 | ListOffsets 11 (KIP-1023) |
/// | 4.4 | ApiVersions 5: cluster and node (KIP-1242) |
#[rustfmt::skip]
const MAXIMA: [(u8, u8, [i16; 10]); 16] = [
    // Prod Fetch List  Meta  Find  ApiV  Create Delete InitP Describe
    (2, 1, [ 7,   10,   4,    7,    2,    2,    3,     3,     1,    ABSENT]),
    (2, 2, [ 7,   10,   5,    7,    2,    2,    3,     3,     1,    ABSENT]),
    (2, 3, [ 7,   11,   5,    8,    2,    2,    3,     3,     1,    ABSENT]),
    (2, 4, [ 8,   11,   5,    9,    3,    3,    5,     4,     2,    ABSENT]),
    (2, 5, [ 8,   11,   5,    9,    3,    3,    5,     4,     3,    ABSENT]),
    (2, 7, [ 8,   12,   5,    9,    3,    3,    6,     5,     4,    ABSENT]),
    (2, 8, [ 9,   12,   6,   11,    3,    3,    7,     6,     4,    0]),
    (3, 0, [ 9,   12,   7,   11,    4,    3,    7,     6,     4,    0]),
    (3, 1, [ 9,   13,   7,   12,    4,    3,    7,     6,     4,    0]),
    (3, 5, [ 9,   15,   8,   12,    4,    3,    7,     6,     4,    0]),
    (3, 7, [10,   16,   8,   12,    4,    3,    7,     6,     4,    1]),
    (3, 8, [11,   16,   8,   12,    5,    3,    7,     6,     5,    1]),
    (3, 9, [11,   17,   9,   12,    6,    4,    7,     6,     5,    1]),
    (4, 0, [12,   17,  10,   13,    6,    4,    7,     6,     5,    2]),
    (4, 1, [13,   18,  10,   13,    6,    4,    7,     6,     5,    2]),
    (4, 2, [13,   18,  11,   13,    6,    4,    7,     6,     5,    2]),
];

impl KafkaVersion {
    /// Every release there is, the oldest first.
    pub const ALL: [Self; 23] = Self::all();

    /// A release by its numbers; `None` if it is not one from 2.1 to 4.4.
    pub fn new(major: u8, minor: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|release| (release.major, release.minor) == (major, minor))
    }

    /// What a broker of this release wants announced. All of the newest release is what there is.
    pub(crate) fn wanted(self) -> Wanted {
        let newest = Self::ALL.last().copied();
        let row = MAXIMA.iter().rev().find(|row| (row.0, row.1) <= (self.major, self.minor));
        match row {
            Some((_, _, maxima)) if newest != Some(self) => {
                COLUMNS.into_iter().zip(*maxima).map(|(api, max)| (api, range(api, max))).collect()
            }
            _ => Wanted::new(),
        }
    }

    const fn all() -> [Self; 23] {
        let mut all = [Self { major: 2, minor: 1 }; 23];
        let mut rest: &mut [Self] = &mut all;
        let (mut major, mut minor) = (2, 1);
        while let Some((first, others)) = rest.split_first_mut() {
            *first = Self { major, minor };
            rest = others;
            (major, minor) = match (major, minor) {
                (2, 8) => (3, 0),
                (3, 9) => (4, 0),
                (major, minor) => (major, minor + 1),
            };
        }
        all
    }
}

impl FromStr for KafkaVersion {
    type Err = String;

    /// Reads `2.8`; a third number, as in `3.9.1`, is let be.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut numbers = text.splitn(3, '.').map(str::parse::<u8>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), None | Some(Ok(_))) => Self::new(major, minor),
            _ => None,
        }
        .ok_or_else(|| {
            format!("there is no Kafka {text:?} here: 2.1 to 2.8, 3.0 to 3.9, 4.0 to 4.4")
        })
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Announced {
    /// What is wanted, as far as there is such a thing.
    pub(crate) fn new(wanted: Wanted) -> Self {
        let announced = |(key, stable): (ApiKey, VersionRange)| match wanted.get(&key) {
            None => Some((key, stable)),
            Some(None) => None,
            Some(Some(wanted)) => {
                let known = VersionRange::new(stable.min, key.versions()?.max);
                Some((key, wanted.intersection(known)?))
            }
        };
        let mut ranges: Vec<_> = APIS.into_iter().filter_map(announced).collect();
        ranges.sort_by_key(|(key, _)| *key);
        Self { wanted, ranges }
    }

    /// The same, with something else of these APIs.
    pub(crate) fn with(&self, wanted: Wanted) -> Self {
        let mut all = self.wanted.clone();
        all.extend(wanted);
        Self::new(all)
    }

    /// The versions to announce, ascending by API.
    pub(crate) fn ranges(&self) -> &[(ApiKey, VersionRange)] {
        &self.ranges
    }

    /// The versions of an API, if it is there.
    pub(crate) fn range(&self, api: ApiKey) -> Option<VersionRange> {
        self.ranges.iter().find(|(key, _)| *key == api).map(|(_, range)| *range)
    }

    pub(crate) fn contains(&self, api: ApiKey, version: i16) -> bool {
        self.range(api).is_some_and(|range| range.contains(version))
    }
}

/// From the lowest version that there is.
fn range(api: ApiKey, max: i16) -> Option<VersionRange> {
    let (_, known) = APIS.into_iter().find(|(key, _)| *key == api)?;
    (max != ABSENT).then_some(VersionRange::new(known.min, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_written() {
        let names: Vec<String> = KafkaVersion::ALL.iter().map(ToString::to_string).collect();
        let at = |place: usize| names[place].as_str();
        assert_eq!([at(0), at(7), at(8)], ["2.1", "2.8", "3.0"]);
        assert_eq!([at(17), at(18), at(22)], ["3.9", "4.0", "4.4"]);
        for (name, release) in names.iter().zip(KafkaVersion::ALL) {
            assert_eq!(name.parse(), Ok(release));
        }
        assert_eq!("3.9.1".parse(), Ok(KafkaVersion { major: 3, minor: 9 }));
        for wrong in ["", "3", "2.0", "2.9", "4.5", "3.x", "3.9.x", "3.9.1.1", "-3.1", "300.1"] {
            assert!(wrong.parse::<KafkaVersion>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_newer_release_never_has_less() {
        let announced = KafkaVersion::ALL.map(|release| Announced::new(release.wanted()));
        for pair in announced.windows(2) {
            for (api, older) in pair[0].ranges() {
                assert!(pair[1].range(*api).unwrap().max >= older.max, "{api}");
            }
        }
        // The newest one has all that there is, and the one before lacks only what is new in it.
        let [.., before, newest] = &announced;
        assert_eq!(newest.ranges().len(), APIS.len());
        for (api, stable) in APIS {
            assert_eq!(newest.range(api), Some(stable));
            let missing = i16::from(api == ApiKey::API_VERSIONS);
            assert_eq!(before.range(api).unwrap().max, stable.max - missing, "{api}");
        }
    }
}
