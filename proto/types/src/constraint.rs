//! Placement constraints: `node.labels.zone == a`. Parsed here, judged in `cluster-decide`.
//!
//! Keys and operators are swarm's (`swarm-behaviour.md` 1.4); values compare without regard to case.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What of a node a constraint looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConstraintKey {
    /// `node.id`
    Id,
    /// `node.hostname`
    Hostname,
    /// `node.role`
    Role,
    /// `node.platform.os`
    Os,
    /// `node.platform.arch`
    Arch,
    /// `node.labels.KEY`
    Label(String),
}

/// One requirement on a node; a task's constraints must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Constraint {
    /// What is looked at.
    pub key: ConstraintKey,
    /// `true` for `==`, `false` for `!=`.
    pub equal: bool,
    /// What it is compared with.
    pub value: String,
}

impl fmt::Display for ConstraintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("node.id"),
            Self::Hostname => f.write_str("node.hostname"),
            Self::Role => f.write_str("node.role"),
            Self::Os => f.write_str("node.platform.os"),
            Self::Arch => f.write_str("node.platform.arch"),
            Self::Label(label) => write!(f, "node.labels.{label}"),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.key, if self.equal { "==" } else { "!=" }, self.value)
    }
}

/// Why a text is not a constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConstraint {
    /// No `==` or `!=` in it.
    #[error("`{0}` has no operator: write KEY==VALUE or KEY!=VALUE")]
    Operator(String),
    /// The key is not one of the known ones.
    #[error("`{0}` is no constraint key: use node.id, node.hostname, node.role, node.platform.os, node.platform.arch or node.labels.NAME")]
    Key(String),
    /// The value is empty or has characters that no node can have.
    #[error("`{0}` has an invalid value: use letters, digits and - _ . : / ")]
    Value(String),
}

impl FromStr for ConstraintKey {
    type Err = InvalidConstraint;

    fn from_str(text: &str) -> Result<Self, InvalidConstraint> {
        let label = text.get(..12).filter(|start| start.eq_ignore_ascii_case("node.labels.")).map(|_| &text[12..]);
        if let Some(label) = label.filter(|label| !label.is_empty() && label.chars().all(is_word)) {
            return Ok(Self::Label(label.to_owned()));
        }
        match text.to_ascii_lowercase().as_str() {
            "node.id" => Ok(Self::Id),
            "node.hostname" => Ok(Self::Hostname),
            "node.role" => Ok(Self::Role),
            "node.platform.os" => Ok(Self::Os),
            "node.platform.arch" => Ok(Self::Arch),
            _ => Err(InvalidConstraint::Key(text.to_owned())),
        }
    }
}

impl FromStr for Constraint {
    type Err = InvalidConstraint;

    fn from_str(text: &str) -> Result<Self, InvalidConstraint> {
        let (equal, (key, value)) = match (text.split_once("=="), text.split_once("!=")) {
            (Some(parts), None) => (true, parts),
            (None, Some(parts)) => (false, parts),
            _ => return Err(InvalidConstraint::Operator(text.to_owned())),
        };
        let value = value.trim();
        if value.is_empty() || !value.chars().all(is_word) {
            return Err(InvalidConstraint::Value(text.to_owned()));
        }
        Ok(Self { key: key.trim().parse()?, equal, value: value.to_owned() })
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn constraints_are_read_as_swarm_reads_them() {
        let zone: Constraint = "node.labels.zone==a".parse().unwrap();
        assert_eq!((zone.key, zone.equal, zone.value.as_str()), (ConstraintKey::Label("zone".into()), true, "a"));
        let role: Constraint = " node.role != manager ".parse().unwrap();
        assert_eq!((role.key, role.equal), (ConstraintKey::Role, false));
        assert!(matches!("node.role".parse::<Constraint>(), Err(InvalidConstraint::Operator(_))));
        assert!(matches!("node.colour==red".parse::<Constraint>(), Err(InvalidConstraint::Key(_))));
        assert!(matches!("node.role==".parse::<Constraint>(), Err(InvalidConstraint::Value(_))));
    }

    proptest! {
        #[test]
        fn printing_then_parsing_is_the_identity(label in "[a-z0-9._-]{1,20}", equal: bool, value in "[A-Za-z0-9._:/-]{1,20}") {
            let constraint = Constraint { key: ConstraintKey::Label(label), equal, value };
            prop_assert_eq!(constraint.to_string().parse(), Ok(constraint));
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = text.parse::<Constraint>();
        }
    }
}
