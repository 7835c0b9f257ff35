//! Generic resources with docker's keys.

use cluster_types::{GenericGrant, GenericNeeds, GenericPool, GenericPools};
use serde_json::{Value, json};

fn discrete(kind: &str, count: u64) -> Value {
    json!({ "DiscreteResourceSpec": { "Kind": kind, "Value": count } })
}

fn named(kind: &str, name: &str) -> Value {
    json!({ "NamedResourceSpec": { "Kind": kind, "Value": name } })
}

/// What a node has.
pub(super) fn pools(pools: &GenericPools) -> Value {
    let each = |(kind, pool): (&String, &GenericPool)| match pool {
        GenericPool::Count(count) => vec![discrete(kind, *count)],
        GenericPool::Named(names) => names.iter().map(|name| named(kind, name)).collect(),
    };
    pools.iter().flat_map(each).collect()
}

/// What a task asks for.
pub(super) fn needs(needs: &GenericNeeds) -> Value {
    needs.iter().map(|(kind, count)| discrete(kind, *count)).collect()
}

/// What a task was given.
pub(super) fn grant(grant: &GenericGrant) -> Value {
    grant.iter().flat_map(|(kind, names)| names.iter().map(|name| named(kind, name))).collect()
}
