//! Flags of how a change is rolled out, and how it is taken back. The same for `create` and `update`.

use std::time::Duration;

use clap::Args;
use cluster_types::{FailureAction, Ratio, UpdateConfig, UpdateOrder};

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
    /// A new task that ends within this time after it ran has failed
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    update_monitor: Option<Duration>,
    /// What happens when too many new tasks fail: pause, continue or rollback
    #[arg(long, value_name = "ACTION", value_parser = failure_action)]
    update_failure_action: Option<FailureAction>,
    /// Share of the tasks that may fail, from 0 to 1
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    update_max_failure_ratio: Option<Ratio>,
    /// An update that makes no progress for this long has failed
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    update_progress_deadline: Option<Duration>,
    /// Update the first N tasks only, then wait for rollout promote; of this update alone
    #[arg(long, value_name = "N")]
    canary: Option<u64>,
    #[command(flatten)]
    rollback: Rollback,
}

/// How changes are taken back.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rollbacks")]
struct Rollback {
    /// Tasks taken back at the same time (0: all)
    #[arg(long, value_name = "N")]
    rollback_parallelism: Option<u64>,
    /// Pause between two batches
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    rollback_delay: Option<Duration>,
    /// Order within a slot: stop-first or start-first
    #[arg(long, value_name = "ORDER", value_parser = value::update_order)]
    rollback_order: Option<UpdateOrder>,
    /// A task that ends within this time after it ran has failed
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    rollback_monitor: Option<Duration>,
    /// What happens when too many tasks fail: pause or continue
    #[arg(long, value_name = "ACTION", value_parser = rollback_failure_action)]
    rollback_failure_action: Option<FailureAction>,
    /// Share of the tasks that may fail, from 0 to 1
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    rollback_max_failure_ratio: Option<Ratio>,
}

impl Rollout {
    /// Sets what was given. Canaries are of one update: the next one has none unless it asks again.
    pub(crate) fn apply(&self, update: &mut UpdateConfig, rollback: &mut UpdateConfig) {
        set(&mut update.parallelism, self.update_parallelism);
        set(&mut update.delay, self.update_delay);
        set(&mut update.order, self.update_order);
        set(&mut update.monitor, self.update_monitor);
        set(&mut update.failure_action, self.update_failure_action);
        set(&mut update.max_failure_ratio, self.update_max_failure_ratio);
        set(&mut update.progress_deadline, self.update_progress_deadline);
        update.canary = self.canary.unwrap_or(0);
        self.rollback.apply(rollback);
    }
}

impl Rollback {
    fn apply(&self, rollback: &mut UpdateConfig) {
        set(&mut rollback.parallelism, self.rollback_parallelism);
        set(&mut rollback.delay, self.rollback_delay);
        set(&mut rollback.order, self.rollback_order);
        set(&mut rollback.monitor, self.rollback_monitor);
        set(&mut rollback.failure_action, self.rollback_failure_action);
        set(&mut rollback.max_failure_ratio, self.rollback_max_failure_ratio);
    }
}

/// `--update-failure-action`.
fn failure_action(text: &str) -> Result<FailureAction, String> {
    match text {
        "pause" => Ok(FailureAction::Pause),
        "continue" => Ok(FailureAction::Continue),
        "rollback" => Ok(FailureAction::Rollback),
        other => Err(format!("`{other}` is no failure action: use pause, continue or rollback")),
    }
}

/// `--rollback-failure-action`: a rollback is never rolled back.
fn rollback_failure_action(text: &str) -> Result<FailureAction, String> {
    match text {
        "pause" => Ok(FailureAction::Pause),
        "continue" => Ok(FailureAction::Continue),
        other => Err(format!("`{other}` is no failure action of a rollback: use pause or continue")),
    }
}

/// Thousandths from `0.25`.
fn ratio(text: &str) -> Result<Ratio, String> {
    let wrong = || format!("`{text}` is not a share: write it like 0, 0.25 or 1");
    let value: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.0..=1.0).contains(&value) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be between 0 and 1000")]
    let thousandths = (value * 1_000.0).round() as u32;
    Ok(Ratio(thousandths))
}
