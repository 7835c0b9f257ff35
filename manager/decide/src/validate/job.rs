//! The mode of a service, and when it runs by itself. Update and rollback settings of a job are not used, and not refused.

use cluster_types::{ServiceMode, ServiceSpec, limits};

use super::Problems;
use crate::cron::{Clock, ScheduleError};

pub(super) fn check(problems: &mut Problems, spec: &ServiceSpec) {
    match spec.mode {
        ServiceMode::Replicated { replicas } => at_most(problems, "mode.replicas", replicas),
        ServiceMode::ReplicatedJob { max_concurrent, total } => {
            for (field, number) in [("mode.max_concurrent", max_concurrent), ("mode.total", total)] {
                if number == 0 {
                    problems.add(field, "must be at least 1");
                }
                at_most(problems, field, number);
            }
        }
        ServiceMode::Global | ServiceMode::GlobalJob if spec.task.placement.max_per_node > 0 => {
            problems
                .add("task.placement.max_per_node", "has no meaning for a global service, which has one task on each node: leave it out");
        }
        ServiceMode::Global | ServiceMode::GlobalJob => {}
    }
    schedule(problems, spec);
}

fn at_most(problems: &mut Problems, field: &str, number: u64) {
    if number > limits::REPLICAS {
        problems.add(field, format!("{number} are too many: at most {} are allowed", limits::REPLICAS));
    }
}

fn schedule(problems: &mut Problems, spec: &ServiceSpec) {
    let Some(schedule) = &spec.schedule else { return };
    if !spec.mode.is_job() {
        problems
            .add("schedule", format!("is for jobs: a {} service runs all the time; use replicated-job or global-job", spec.mode.word()));
    }
    if let Err(error) = Clock::new(schedule) {
        let field = match error {
            ScheduleError::Zone => "schedule.time_zone",
            ScheduleError::Cron(_) | ScheduleError::Long | ScheduleError::Never => "schedule.cron",
        };
        problems.add(field, error.to_string());
    }
}
