//! Control records: markers that brokers write between records of users.

/// What a control record says, from its key (KIP-98, KIP-595).
///
/// The key of a control record is two int16: a version and the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControlRecordType {
    /// The producer's transaction is aborted.
    Abort,
    /// The producer's transaction is committed.
    Commit,
    /// A new leader of the metadata quorum.
    LeaderChange,
    /// Start of a metadata snapshot.
    SnapshotHeader,
    /// End of a metadata snapshot.
    SnapshotFooter,
    /// Version of the metadata quorum's protocol.
    KraftVersion,
    /// Voters of the metadata quorum.
    KraftVoters,
    /// A type that is not known here.
    Unknown(i16),
}

impl ControlRecordType {
    /// Reads the key of a control record; `None` if it is too short to be one, or of a version below
    /// 0. Longer keys, of later versions, are read by their first four bytes.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (version, rest) = key.split_first_chunk()?;
        let (id, _) = rest.split_first_chunk()?;
        if i16::from_be_bytes(*version) < 0 {
            return None;
        }
        Some(match i16::from_be_bytes(*id) {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            id => Self::Unknown(id),
        })
    }

    /// The key of such a record, version 0.
    pub fn to_key(self) -> [u8; 4] {
        let id: i16 = match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KraftVersion => 5,
            Self::KraftVoters => 6,
            Self::Unknown(id) => id,
        };
        let [high, low] = id.to_be_bytes();
        [0, 0, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Java's `ControlRecordType` numbers them.
    #[test]
    fn each_type_has_its_number() {
        use ControlRecordType::*;
        let types = [
            Abort,
            Commit,
            LeaderChange,
            SnapshotHeader,
            SnapshotFooter,
            KraftVersion,
            KraftVoters,
            Unknown(7),
        ];
        for (id, kind) in types.into_iter().enumerate() {
            assert_eq!(ControlRecordType::from_key(&[0, 0, 0, id as u8]), Some(kind));
        }
        assert_eq!(ControlRecordType::from_key(&[0, 5, 0, 1, 9]), Some(Commit));
    }

    #[test]
    fn keys_round_trip() {
        for id in -1..9 {
            let [high, low] = i16::to_be_bytes(id);
            let kind = ControlRecordType::from_key(&[0, 0, high, low, 9]).unwrap();
            assert_eq!(kind.to_key(), [0, 0, high, low]);
        }
        assert_eq!(ControlRecordType::from_key(&[0, 0, 1]), None);
        assert_eq!(ControlRecordType::from_key(&[255, 255, 0, 1]), None);
    }
}
