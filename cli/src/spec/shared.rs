//! The flags that `create` and `update` share: those with one value.

use clap::Args;
use cluster_types::ServiceSpec;

use super::bounds::{Bounds, set};
use super::container::Process;
use super::endpoint::Reach;
use super::refused::{OfServices, Refused};
use super::rollout::Rollout;
use crate::failure::Failure;

/// Flags with one value.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Shared {
    /// Most tasks of the service on one node (0: no limit)
    #[arg(long, value_name = "N")]
    replicas_max_per_node: Option<u64>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    process: Process,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    rollout: Rollout,
    #[command(flatten)]
    refused: Refused<OfServices>,
}

impl Shared {
    /// Fails when a flag was given that is not honoured yet.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.refused.check()
    }

    /// Sets what was given.
    pub(crate) fn apply(&self, spec: &mut ServiceSpec) -> Result<(), String> {
        let Self { replicas_max_per_node, reach, process, bounds, rollout, refused: _ } = self;
        set(&mut spec.task.placement.max_per_node, *replicas_max_per_node);
        process.apply(&mut spec.task.container)?;
        bounds.apply(&mut spec.task);
        rollout.apply(&mut spec.update);
        reach.apply(spec)
    }
}
