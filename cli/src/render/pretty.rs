//! `inspect --pretty` and `rollout status`: a service in lines for people.

use cluster_types::bytes::print_bytes;
use cluster_types::{FailureAction, HealthSpec, HealthTest, ServiceMode, Timestamp, UpdateConfig, UpdateOrder, UpdateState};

use super::age;
use super::inspect::words as json_word;
use super::plain::plain;
use super::row::{ports, service_state};
use crate::model::ServiceView;
use crate::spec::placement::node_loss_word;

/// Most revisions and runs that are shown.
const SHOWN: usize = 3;

type Lines = Vec<(&'static str, String)>;

/// The whole service.
pub(crate) fn service(view: &ServiceView, now: Timestamp) -> String {
    let (service, spec) = (&view.service, view.spec());
    let mut lines = vec![("name", spec.name.clone()), ("id", service.id.to_string())];
    let labels = spec.labels.iter().map(|(key, value)| format!("{key}={value}"));
    lines.extend(labels.map(|label| ("label", label)));
    lines.push(("state", service_state(view)));
    lines.push(("mode", mode(view)));
    job(&mut lines, view, now);
    lines.push(("image", spec.task.container.image.clone()));
    checks(&mut lines, view);
    placement(&mut lines, view);
    resources(&mut lines, view);
    some(&mut lines, "ports", ports(&service.endpoint.ports));
    if !spec.mode.is_job() {
        lines.push(("updates", config(&spec.update)));
        lines.push(("rollbacks", config(&spec.rollback)));
    }
    update(&mut lines, view, now);
    history(&mut lines, view, now);
    lines.extend(view.troubles().map(|trouble| ("warning", trouble.lines().collect::<Vec<_>>().join("; "))));
    text(&lines)
}

/// How the last update goes.
pub(crate) fn rollout(view: &ServiceView, now: Timestamp) -> String {
    let mut lines = vec![("name", view.name().to_owned()), ("state", service_state(view)), ("mode", mode(view))];
    update(&mut lines, view, now);
    history(&mut lines, view, now);
    text(&lines)
}

fn text(lines: &Lines) -> String {
    let mut text = String::new();
    let mut last = "";
    for (label, value) in lines {
        // A label stands once, before the first of its lines.
        for line in value.lines() {
            let shown = if *label == last { "" } else { label };
            text.push_str(&format!("{shown:<12} {}\n", plain(line)));
            last = label;
        }
    }
    text
}

fn some(lines: &mut Lines, label: &'static str, value: String) {
    if !value.is_empty() {
        lines.push((label, value));
    }
}

fn mode(view: &ServiceView) -> String {
    let word = view.spec().mode.word();
    let (completed, wanted) = view.completions;
    match view.spec().mode {
        ServiceMode::Replicated { .. } | ServiceMode::Global => format!("{word}, {}/{} running", view.running, view.goal()),
        ServiceMode::ReplicatedJob { max_concurrent, .. } => {
            format!("{word}, {completed}/{wanted} completed, {} of at most {max_concurrent} running", view.running)
        }
        ServiceMode::GlobalJob => format!("{word}, {completed}/{wanted} completed, {} running", view.running),
    }
}

fn job(lines: &mut Lines, view: &ServiceView, now: Timestamp) {
    if let Some(schedule) = &view.spec().schedule {
        lines.push(("schedule", format!("{} ({}), overlap: {}", schedule.cron, schedule.time_zone, json_word(&schedule.overlap))));
    }
    let Some(job) = &view.service.job else { return };
    if let Some(next) = job.next {
        lines.push(("next run", format!("{}, in {}", age::rfc3339(next), age::words(next.since(now)).to_lowercase())));
    }
    if job.iteration > 0 {
        let end = job.ended.map_or("goes on".to_owned(), |ended| format!("ended after {}", age::took(ended.since(job.started))));
        lines.push(("runs", format!("{}: began {}, {end}", job.iteration, age::ago(job.started, now).to_lowercase())));
    }
    for run in job.runs.iter().rev().take(SHOWN) {
        let began = age::ago(run.started, now).to_lowercase();
        let number = if run.iteration == 0 { "-".to_owned() } else { run.iteration.to_string() };
        lines.push(("runs", format!("{number}: began {began}, {}, {}/{} completed", run.outcome, run.completed, run.wanted)));
    }
}

fn checks(lines: &mut Lines, view: &ServiceView) {
    let container = &view.spec().task.container;
    if container.health != HealthSpec::default() {
        lines.push(("health", check(&container.health)));
    }
    lines.extend(container.readiness.as_ref().map(|readiness| ("readiness", check(readiness))));
}

fn check(check: &HealthSpec) -> String {
    let how = match &check.test {
        HealthTest::Inherit => "as the image says".to_owned(),
        HealthTest::None => return "none".to_owned(),
        HealthTest::Cmd(command) => command.join(" "),
        HealthTest::CmdShell(line) => line.clone(),
    };
    let time = |label: &str, time: Option<std::time::Duration>| time.map(|time| format!(", {label} {}", age::took(time)));
    let parts = [
        time("every", check.interval),
        time("timeout", check.timeout),
        check.retries.map(|retries| format!(", retries {retries}")),
        time("start period", check.start_period),
        time("start interval", check.start_interval),
    ];
    parts.into_iter().flatten().fold(how, |text, part| text + &part)
}

fn placement(lines: &mut Lines, view: &ServiceView) {
    let task = &view.spec().task;
    let placement = &task.placement;
    lines.extend(placement.constraints.iter().map(|constraint| ("placement", format!("only {constraint}"))));
    lines.extend(placement.platforms.iter().map(|platform| ("placement", format!("only {}/{}", platform.os, platform.arch))));
    lines.extend(placement.preferences.iter().map(|label| ("placement", format!("spread over {label}"))));
    lines.extend(placement.affinities.iter().map(|affinity| ("placement", format!("rather {affinity}"))));
    if placement.max_per_node > 0 {
        lines.push(("placement", format!("at most {} on one node", placement.max_per_node)));
    }
    if placement.ranking != cluster_types::Ranking::default() {
        lines.push(("placement", format!("ranking: {}", json_word(&placement.ranking))));
    }
    if placement.auto_rebalance {
        lines.push(("placement", "spread anew when nodes join".to_owned()));
    }
    if task.on_node_lost != cluster_types::NodeLoss::default() {
        lines.push(("placement", format!("on a lost node: {}", node_loss_word(task.on_node_lost))));
    }
}

fn resources(lines: &mut Lines, view: &ServiceView) {
    let task = &view.spec().task;
    let both = |nano_cpus: u64, memory: u64| {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let cpus = (nano_cpus > 0).then(|| format!("{} CPUs", nano_cpus as f64 / 1e9));
        let memory = (memory > 0).then(|| print_bytes(memory));
        cpus.into_iter().chain(memory).collect::<Vec<_>>().join(", ")
    };
    some(lines, "reserves", both(task.reservation.nano_cpus, task.reservation.memory));
    some(lines, "limits", both(task.limits.nano_cpus, task.limits.memory));
    some(lines, "generic", task.generic.iter().map(|(kind, count)| format!("{kind}={count}")).collect::<Vec<_>>().join(", "));
}

fn config(config: &UpdateConfig) -> String {
    let at_once = if config.parallelism == 0 { "all at once".to_owned() } else { format!("{} at a time", config.parallelism) };
    let order = if config.order == UpdateOrder::StartFirst { "start-first" } else { "stop-first" };
    let action = match config.failure_action {
        FailureAction::Pause => "pause",
        FailureAction::Continue => "continue",
        FailureAction::Rollback => "roll back",
    };
    let delay = if config.delay.is_zero() { String::new() } else { format!(", delay {}", age::took(config.delay)) };
    let monitor = age::took(config.monitor);
    format!("{at_once}, {order}{delay}, monitor {monitor}, on failures above {}: {action}", config.max_failure_ratio)
}

fn update(lines: &mut Lines, view: &ServiceView, now: Timestamp) {
    let Some(update) = &view.service.update else {
        lines.push(("update", "none yet".to_owned()));
        return;
    };
    let since = age::ago(update.completed.unwrap_or(update.started), now).to_lowercase();
    let verb = if update.completed.is_some() { "" } else { "began " };
    lines.push(("update", format!("{}, {verb}{since}", update.state.word().replace('_', " "))));
    some(lines, "update", update.detail().to_owned());
    if update.failed > 0 {
        lines.push(("update", format!("{} of {} places failed", update.failed, update.places)));
    }
    let name = view.name();
    let next = match update.state {
        UpdateState::Canary => format!("cluster rollout promote {name}     or: cluster service rollback {name}"),
        UpdateState::Paused => format!("cluster rollout resume {name}     or: cluster service rollback {name}"),
        UpdateState::RollbackPaused => format!("cluster rollout resume {name}"),
        _ => return,
    };
    lines.push(("next", next));
}

fn history(lines: &mut Lines, view: &ServiceView, now: Timestamp) {
    for revision in view.service.history.iter().rev().take(SHOWN) {
        let restores = revision.restores.map(|number| format!(", repeats {number}")).unwrap_or_default();
        let message = &revision.author.message;
        let message = if message.is_empty() { String::new() } else { format!(": {}", message.lines().collect::<Vec<_>>().join("; ")) };
        let at = age::ago(revision.at, now).to_lowercase();
        lines.push(("history", format!("{}{restores}, {at}, by {}{message}", revision.number, revision.author.by)));
    }
}
