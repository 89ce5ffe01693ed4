//! Conditions on the version, as generated code states them.

use crate::versions::Versions;

/// Whether something holds in the versions at hand.
pub(super) enum Condition {
    Always,
    Never,
    /// Where this expression is true.
    When(String),
}

impl Condition {
    /// Membership in `versions`, for code that runs only in `context`.
    pub(super) fn new(versions: Versions, context: Versions) -> Self {
        let versions = versions.intersect(context);
        let (Versions::Range { min, max }, Versions::Range { min: from, max: to }) =
            (versions, context)
        else {
            return Self::Never;
        };
        match (min > from, max < to) {
            (false, false) => Self::Always,
            (true, false) => Self::When(format!("version >= {min}")),
            (false, true) => Self::When(format!("version <= {max}")),
            (true, true) if min == max => Self::When(format!("version == {min}")),
            (true, true) => Self::When(format!("({min}..={max}).contains(&version)")),
        }
    }

    /// The opposite, as an expression; only for one that holds in some versions.
    pub(super) fn negation(versions: Versions, context: Versions) -> Option<String> {
        let versions = versions.intersect(context);
        let (Versions::Range { min, max }, Versions::Range { min: from, max: to }) =
            (versions, context)
        else {
            return None;
        };
        match (min > from, max < to) {
            (false, false) => None,
            (true, false) => Some(format!("version < {min}")),
            (false, true) => Some(format!("version > {max}")),
            (true, true) => Some(format!("!({min}..={max}).contains(&version)")),
        }
    }

    /// `yes` or `no`, or an expression that chooses between them.
    pub(super) fn choose(&self, yes: &str, no: &str) -> String {
        match self {
            Self::Always => yes.to_owned(),
            Self::Never => no.to_owned(),
            Self::When(when) => format!("if {when} {{ {yes} }} else {{ {no} }}"),
        }
    }
}
