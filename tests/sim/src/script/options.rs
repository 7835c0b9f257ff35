//! What may be said of a service when it is created or updated: the names of the command line's flags.

use cluster_types::{
    FailureAction, NetworkMode, NodeLoss, Overlap, Ratio, RestartCondition, Schedule, ServiceMode, ServiceSpec, UpdateOrder,
};

use super::command::{Options, duration, number};

/// A service of which nothing has been said. Its containers use their hosts' network: addresses are no part of these stories.
pub(super) fn blank(name: &str) -> ServiceSpec {
    let mut spec = ServiceSpec { name: name.to_owned(), ..ServiceSpec::default() };
    spec.task.container.image = format!("{name}:1");
    spec.task.network = NetworkMode::Host;
    spec
}

/// Takes in all that is said.
pub(super) fn say(spec: &mut ServiceSpec, options: &Options) -> Result<(), String> {
    options.iter().try_for_each(|(key, value)| set(spec, key, value))
}

fn set(spec: &mut ServiceSpec, key: &str, value: &str) -> Result<(), String> {
    match (key, &mut spec.mode) {
        ("image", _) => value.clone_into(&mut spec.task.container.image),
        ("mode", mode) => *mode = mode_of(value)?,
        ("replicas", ServiceMode::Replicated { replicas }) => *replicas = number(value)?,
        ("total", ServiceMode::ReplicatedJob { total, .. }) => *total = number(value)?,
        ("concurrent", ServiceMode::ReplicatedJob { max_concurrent, .. }) => *max_concurrent = number(value)?,
        ("schedule", _) => {
            spec.schedule = Some(Schedule { cron: value.to_owned(), time_zone: "UTC".to_owned(), overlap: Overlap::Forbid });
        }
        ("restart", _) => spec.task.restart.condition = restart(value)?,
        ("on-node-lost", _) => spec.task.on_node_lost = on_node_lost(value)?,
        ("spread", _) => spec.task.placement.preferences.push(value.to_owned()),
        ("constraint", _) => spec.task.placement.constraints.push(value.parse().map_err(|error| format!("{error}"))?),
        ("max-per-node", _) => spec.task.placement.max_per_node = number(value)?,
        ("auto-rebalance", _) => spec.task.placement.auto_rebalance = value == "true",
        ("parallelism", _) => spec.update.parallelism = number(value)?,
        ("delay", _) => spec.update.delay = duration(value)?,
        ("order", _) => spec.update.order = order(value)?,
        ("failure-action", _) => spec.update.failure_action = failure_action(value)?,
        ("max-failure-ratio", _) => spec.update.max_failure_ratio = ratio(value)?,
        ("monitor", _) => spec.update.monitor = duration(value)?,
        ("progress-deadline", _) => spec.update.progress_deadline = duration(value)?,
        ("canary", _) => spec.update.canary = number(value)?,
        (_, mode) => return Err(format!("`{key}` is nothing that can be said of a {} service", mode.word())),
    }
    Ok(())
}

fn mode_of(value: &str) -> Result<ServiceMode, String> {
    let modes = [
        ServiceMode::Replicated { replicas: 1 },
        ServiceMode::Global,
        ServiceMode::ReplicatedJob { max_concurrent: 1, total: 1 },
        ServiceMode::GlobalJob,
    ];
    modes.into_iter().find(|mode| mode.word() == value).ok_or_else(|| format!("`{value}` is no mode"))
}

fn restart(value: &str) -> Result<RestartCondition, String> {
    match value {
        "any" => Ok(RestartCondition::Any),
        "on-failure" => Ok(RestartCondition::OnFailure),
        "none" => Ok(RestartCondition::None),
        _ => Err(format!("`{value}`: any, on-failure or none")),
    }
}

fn on_node_lost(value: &str) -> Result<NodeLoss, String> {
    match value {
        "keep" => Ok(NodeLoss::Keep),
        "replace" => Ok(NodeLoss::default()),
        after => Ok(NodeLoss::Replace { after: duration(after)? }),
    }
}

fn order(value: &str) -> Result<UpdateOrder, String> {
    match value {
        "stop-first" => Ok(UpdateOrder::StopFirst),
        "start-first" => Ok(UpdateOrder::StartFirst),
        _ => Err(format!("`{value}`: stop-first or start-first")),
    }
}

fn failure_action(value: &str) -> Result<FailureAction, String> {
    match value {
        "pause" => Ok(FailureAction::Pause),
        "continue" => Ok(FailureAction::Continue),
        "rollback" => Ok(FailureAction::Rollback),
        _ => Err(format!("`{value}`: pause, continue or rollback")),
    }
}

/// In hundredths, as `25%`.
fn ratio(value: &str) -> Result<Ratio, String> {
    let hundredths = value.strip_suffix('%').and_then(|value| value.parse::<u32>().ok()).filter(|share| *share <= 100);
    hundredths.map(|share| Ratio(10 * share)).ok_or_else(|| format!("`{value}` is no share such as `25%`"))
}
