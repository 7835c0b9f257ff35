//! Flags of what a task may use and must find: limits, reservations, restart policy. The same for `create` and `update`.

use std::time::Duration;

use clap::Args;
use cluster_types::{RestartCondition, TaskSpec};

use super::value;

/// Limits, reservations and the restart policy.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Resources and restarts")]
pub(crate) struct Bounds {
    /// Most CPUs, such as .5
    #[arg(long, value_name = "CPUS", value_parser = value::cpus)]
    limit_cpu: Option<u64>,
    /// Most memory, such as 512M
    #[arg(long, value_name = "BYTES", value_parser = value::bytes)]
    limit_memory: Option<u64>,
    /// Most processes and threads (0: no limit)
    #[arg(long, value_name = "N")]
    limit_pids: Option<u64>,
    /// CPUs that a node must have free
    #[arg(long, value_name = "CPUS", value_parser = value::cpus)]
    reserve_cpu: Option<u64>,
    /// Memory that a node must have free
    #[arg(long, value_name = "BYTES", value_parser = value::bytes)]
    reserve_memory: Option<u64>,
    /// When a task that ended gets a successor: none, on-failure or any
    #[arg(long, value_name = "CONDITION", value_parser = value::restart_condition)]
    restart_condition: Option<RestartCondition>,
    /// Delay before the first restart; doubles with each failure in a row
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    restart_delay: Option<Duration>,
    /// Cap of the growing delay
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    restart_max_delay: Option<Duration>,
    /// Most restarts in the window (0: no limit)
    #[arg(long, value_name = "N")]
    restart_max_attempts: Option<u64>,
    /// Window in which attempts count (0: for ever)
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    restart_window: Option<Duration>,
}

impl Bounds {
    /// Sets what was given.
    pub(crate) fn apply(&self, task: &mut TaskSpec) {
        set(&mut task.limits.nano_cpus, self.limit_cpu);
        set(&mut task.limits.memory, self.limit_memory);
        set(&mut task.limits.pids, self.limit_pids);
        set(&mut task.reservation.nano_cpus, self.reserve_cpu);
        set(&mut task.reservation.memory, self.reserve_memory);
        set(&mut task.restart.condition, self.restart_condition);
        set(&mut task.restart.delay, self.restart_delay);
        set(&mut task.restart.max_delay, self.restart_max_delay);
        set(&mut task.restart.max_attempts, self.restart_max_attempts);
        set(&mut task.restart.window, self.restart_window);
        // A delay above the cap without a cap of its own raises the cap: the user named the delay.
        if self.restart_delay.is_some() && self.restart_max_delay.is_none() {
            task.restart.max_delay = task.restart.max_delay.max(task.restart.delay);
        }
    }
}

/// Sets a field when there is a value for it.
pub(crate) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
