//! The flags that `create` and `update` share: those with one value.

use clap::Args;
use cluster_types::ServiceSpec;

use super::bounds::Bounds;
use super::container::Process;
use super::endpoint::Reach;
use super::health::Health;
use super::job::Job;
use super::placement::Placing;
use super::refused::{OfServices, Refused};
use super::rollout::Rollout;
use crate::failure::Failure;

/// Flags with one value.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Shared {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    process: Process,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    health: Health,
    #[command(flatten)]
    placing: Placing,
    #[command(flatten)]
    job: Job,
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
        let Self { reach, process, bounds, health, placing, job, rollout, refused: _ } = self;
        placing.apply(&mut spec.task);
        health.apply(&mut spec.task.container)?;
        job.apply(spec)?;
        process.apply(&mut spec.task.container)?;
        bounds.apply(&mut spec.task);
        rollout.apply(&mut spec.update, &mut spec.rollback);
        reach.apply(spec)
    }
}
