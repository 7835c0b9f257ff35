//! How updates and rollbacks are to go: times, shares and actions that make sense. Called for the spec of each service.

use std::time::Duration;

use cluster_types::{FailureAction, Ratio, ServiceSpec, UpdateConfig, limits};

use super::{Problems, duration};

/// A shorter progress deadline ends every update before its first task can start.
const LEAST_DEADLINE: Duration = Duration::from_secs(1);

pub(super) fn check(problems: &mut Problems, spec: &ServiceSpec) {
    problems.within("update", |problems| config(problems, &spec.update));
    problems.within("rollback", |problems| {
        config(problems, &spec.rollback);
        rollback(problems, &spec.rollback);
    });
    if spec.mode.is_job() && spec.update.canary > 0 {
        problems.add("update.canary", "has no meaning for a job, which is not updated place by place: leave it out");
    }
}

fn config(problems: &mut Problems, config: &UpdateConfig) {
    duration(problems, "delay", config.delay);
    duration(problems, "monitor", config.monitor);
    duration(problems, "progress_deadline", config.progress_deadline);
    if config.progress_deadline < LEAST_DEADLINE {
        problems.add("progress_deadline", "is shorter than a second: no task starts so soon (the default is 600 s)");
    }
    let Ratio(share) = config.max_failure_ratio;
    if share > 1000 {
        problems.add("max_failure_ratio", format!("{} is no share: use 0 to 1", config.max_failure_ratio));
    }
    for (field, count) in [("parallelism", config.parallelism), ("canary", config.canary)] {
        if count > limits::REPLICAS {
            problems.add(field, format!("{count} are more than a service can have: at most {}", limits::REPLICAS));
        }
    }
}

fn rollback(problems: &mut Problems, config: &UpdateConfig) {
    if config.failure_action == FailureAction::Rollback {
        problems.add("failure_action", "cannot be rollback: a rollback is never rolled back; use pause or continue");
    }
    if config.canary > 0 {
        problems.add("canary", "has no meaning for a rollback, which waits for nobody: leave it out");
    }
}
