//! Where tasks may run, where they would rather run, and the resources that are no CPU and no memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Constraint, Platform};

/// Where the tasks of a service may run, and where they would rather.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// All must hold.
    pub constraints: Vec<Constraint>,
    /// Most tasks of the service on one node; 0 is no limit.
    pub max_per_node: u64,
    /// Labels over whose values the tasks are spread, the most important first: `node.labels.zone`. Nodes without the label are one group.
    pub preferences: Vec<String>,
    /// Wishes that are weighed, not required.
    pub affinities: Vec<Affinity>,
    /// How nodes that are otherwise equal are ranked.
    pub ranking: Ranking,
    /// Platforms that the image is made for; empty for any.
    pub platforms: Vec<Platform>,
    /// Whether its running tasks move to nodes that join or return, until they are spread evenly. Only `cluster rebalance` does otherwise.
    pub auto_rebalance: bool,
}

/// How nodes that are otherwise equal are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ranking {
    /// The one with the larger free share of what tasks reserve comes first.
    #[default]
    Spread,
    /// The one with the smaller free share that still fits comes first.
    Binpack,
}

/// A wish for or against nodes: those that meet it gain or lose `weight`. Prints and parses as `service==db`, `service!=db` or as a
/// constraint, with `:WEIGHT` behind (default 50).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affinity {
    /// What is wished.
    pub target: AffinityTarget,
    /// 1 to 100.
    pub weight: u8,
}

/// What an affinity is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AffinityTarget {
    /// To be beside tasks of a service, named or by an id.
    With(String),
    /// Not to be beside tasks of a service.
    Without(String),
    /// To be on a node that meets a constraint.
    Node(Constraint),
}

/// Weight of an affinity that names none.
const WEIGHT: u8 = 50;

impl fmt::Display for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            AffinityTarget::With(service) => write!(f, "service == {service}:{}", self.weight),
            AffinityTarget::Without(service) => write!(f, "service != {service}:{}", self.weight),
            AffinityTarget::Node(constraint) => write!(f, "{constraint}:{}", self.weight),
        }
    }
}

impl FromStr for Affinity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (wish, weight) = match text.rsplit_once(':') {
            Some((wish, weight)) if weight.bytes().all(|byte| byte.is_ascii_digit()) && !weight.is_empty() => {
                let weight = weight.parse().ok().filter(|weight| (1..=100).contains(weight));
                (wish, weight.ok_or_else(|| format!("`{text}`: the weight must be 1 to 100"))?)
            }
            Some(_) | None => (text, WEIGHT),
        };
        let service = wish.trim().strip_prefix("service").map(str::trim_start);
        let named = |name: &str| match name.trim() {
            "" => Err(format!("`{text}` names no service")),
            name => Ok(name.to_owned()),
        };
        let target = match service.map(|rest| (rest.strip_prefix("=="), rest.strip_prefix("!="))) {
            Some((Some(name), _)) => AffinityTarget::With(named(name)?),
            Some((None, Some(name))) => AffinityTarget::Without(named(name)?),
            Some((None, None)) | None => AffinityTarget::Node(wish.parse().map_err(|error| format!("{error}"))?),
        };
        Ok(Self { target, weight })
    }
}

/// What a node has of one kind of generic resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GenericPool {
    /// So many, all alike.
    Count(u64),
    /// These, each of which is given to one task: names, paths of devices such as `/dev/dri0`, or CDI names such as `vendor.com/gpu=0`.
    Named(BTreeSet<String>),
}

/// Generic resources by kind, such as `gpu`.
pub type GenericPools = BTreeMap<String, GenericPool>;

/// How much of each kind a task asks for.
pub type GenericNeeds = BTreeMap<String, u64>;

/// Which instances a task was given, by kind. A kind that is only counted has names `0`, `1`, … of no meaning but their number.
pub type GenericGrant = BTreeMap<String, Vec<String>>;

/// What happens to a service's tasks on a node that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeLoss {
    /// They are waited for, however long; a user may remove the node.
    Keep,
    /// They are replaced when the node has been down for this long.
    Replace {
        /// Counted from when the node is called down.
        after: Duration,
    },
}

impl Default for NodeLoss {
    fn default() -> Self {
        Self::Replace { after: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinities_are_parsed_and_printed() {
        for (text, printed) in [
            ("service==db", "service == db:50"),
            ("service != web:100", "service != web:100"),
            ("node.labels.disk==ssd:5", "node.labels.disk == ssd:5"),
        ] {
            assert_eq!(text.parse::<Affinity>().unwrap().to_string(), printed);
        }
        for text in ["", "service==", "service==db:0", "service==db:101", "what"] {
            assert!(text.parse::<Affinity>().is_err(), "{text} was accepted");
        }
    }
}
