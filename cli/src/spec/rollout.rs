//! Flags of how a change is rolled out, and how a command waits for it.

use std::time::Duration;

use clap::Args;
use cluster_types::{UpdateConfig, UpdateOrder};

use super::bounds::set;
use super::value;

/// How changes are rolled out.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Updates")]
pub(crate) struct Rollout {
    /// Tasks replaced at the same time (0: all)
    #[arg(long, value_name = "N")]
    update_parallelism: Option<u64>,
    /// Pause between two batches
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    update_delay: Option<Duration>,
    /// Order within a slot: stop-first or start-first
    #[arg(long, value_name = "ORDER", value_parser = value::update_order)]
    update_order: Option<UpdateOrder>,
}

impl Rollout {
    /// Sets what was given.
    pub(crate) fn apply(&self, update: &mut UpdateConfig) {
        set(&mut update.parallelism, self.update_parallelism);
        set(&mut update.delay, self.update_delay);
        set(&mut update.order, self.update_order);
    }
}
