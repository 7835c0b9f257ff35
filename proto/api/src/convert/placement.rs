//! Placement, and generic resources of nodes and tasks.

use std::collections::HashMap;
use std::time::Duration;

use cluster_types::{GenericGrant, GenericPool, GenericPools, NodeLoss, Placement, Platform, Ranking};

use super::{FieldError, list, millis, parsed, same_values, variant};
use crate::pb;

same_values!(Ranking, pb::Ranking: Spread = Spread, Binpack = Binpack);

impl From<&Platform> for pb::Platform {
    fn from(platform: &Platform) -> Self {
        Self { os: platform.os.clone(), arch: platform.arch.clone() }
    }
}

impl TryFrom<pb::Platform> for Platform {
    type Error = FieldError;

    fn try_from(platform: pb::Platform) -> Result<Self, FieldError> {
        Ok(Self { os: platform.os, arch: platform.arch })
    }
}

impl From<&Placement> for pb::Placement {
    fn from(placement: &Placement) -> Self {
        Self {
            constraints: placement.constraints.iter().map(ToString::to_string).collect(),
            max_per_node: placement.max_per_node,
            preferences: placement.preferences.clone(),
            affinities: placement.affinities.iter().map(ToString::to_string).collect(),
            ranking: pb::Ranking::from(placement.ranking).into(),
            platforms: placement.platforms.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Placement> for Placement {
    type Error = FieldError;

    fn try_from(placement: pb::Placement) -> Result<Self, FieldError> {
        Ok(Self {
            constraints: texts("constraints", &placement.constraints)?,
            max_per_node: placement.max_per_node,
            preferences: placement.preferences,
            affinities: texts("affinities", &placement.affinities)?,
            ranking: variant::<pb::Ranking, _>("ranking", placement.ranking)?,
            platforms: list("platforms", placement.platforms)?,
        })
    }
}

/// Each text of a list, parsed.
fn texts<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, texts: &[String]) -> Result<Vec<T>, FieldError> {
    texts.iter().enumerate().map(|(index, text)| parsed(&format!("{field}[{index}]"), text)).collect()
}

impl From<NodeLoss> for pb::NodeLoss {
    fn from(loss: NodeLoss) -> Self {
        match loss {
            NodeLoss::Keep => Self { replace_after_ms: None },
            NodeLoss::Replace { after } => Self { replace_after_ms: Some(millis(after)) },
        }
    }
}

impl From<pb::NodeLoss> for NodeLoss {
    fn from(loss: pb::NodeLoss) -> Self {
        loss.replace_after_ms.map_or(Self::Keep, |after| Self::Replace { after: Duration::from_millis(after) })
    }
}

/// What a node has, by kind.
pub(super) fn pools(pools: &GenericPools) -> HashMap<String, pb::GenericPool> {
    pools.iter().map(|(kind, pool)| (kind.clone(), pool.into())).collect()
}

/// The same from the wire.
pub(super) fn read_pools(pools: HashMap<String, pb::GenericPool>) -> Result<GenericPools, FieldError> {
    let read = |(kind, pool): (String, pb::GenericPool)| {
        let pool = pool.try_into().map_err(|error: FieldError| error.within(&format!("generic[{kind}]")))?;
        Ok((kind, pool))
    };
    pools.into_iter().map(read).collect()
}

impl From<&GenericPool> for pb::GenericPool {
    fn from(pool: &GenericPool) -> Self {
        let pool = match pool {
            GenericPool::Count(count) => pb::generic_pool::Pool::Count(*count),
            GenericPool::Named(names) => pb::generic_pool::Pool::Names(pb::StringList { items: names.iter().cloned().collect() }),
        };
        Self { pool: Some(pool) }
    }
}

impl TryFrom<pb::GenericPool> for GenericPool {
    type Error = FieldError;

    fn try_from(pool: pb::GenericPool) -> Result<Self, FieldError> {
        match pool.pool {
            Some(pb::generic_pool::Pool::Count(count)) => Ok(Self::Count(count)),
            Some(pb::generic_pool::Pool::Names(list)) => Ok(Self::Named(list.items.into_iter().collect())),
            None => Err(FieldError::new("pool", "is missing")),
        }
    }
}

/// The instances of a task; absent when there are none.
pub(super) fn grant(grant: &GenericGrant) -> Option<pb::GenericGrant> {
    let kinds = grant.iter().map(|(kind, names)| (kind.clone(), pb::StringList { items: names.clone() }));
    (!grant.is_empty()).then(|| pb::GenericGrant { kinds: kinds.collect() })
}

/// The same from the wire.
pub(super) fn read_grant(grant: Option<pb::GenericGrant>) -> GenericGrant {
    grant.map(|grant| grant.kinds.into_iter().map(|(kind, names)| (kind, names.items)).collect()).unwrap_or_default()
}
