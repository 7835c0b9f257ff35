//! What an update says of the tasks that hold it: which, where, and why.

use std::time::Duration;

use cluster_types::{Service, Task, TaskState, limits};

use crate::draft::Draft;

/// How a task of the update failed: `web.2 failed 3 s after its start on node-2: exit code 1 (last output: …)`.
pub(super) fn failure(draft: &Draft<'_>, service: &Service, task: &Task) -> String {
    let (name, place) = (task.name(&service.spec.name), place(draft, task));
    let lived = task.life.ended.zip(task.life.ran).map(|(ended, ran)| ended.since(ran));
    let has_run = task.status.container.as_ref().is_some_and(|container| container.exit_code.is_some());
    let verb = if task.status.state == TaskState::Complete { "ended" } else { "failed" };
    let what = match lived {
        Some(lived) => format!("{verb} {} after its start{place}", time(lived)),
        None if has_run => format!("{verb} at its start{place}"),
        None => format!("could not start{place}"),
    };
    let output = last_line(task).map(|line| format!(" (last output: {line})")).unwrap_or_default();
    cut(format!("{name} {what}: {}{output}", reason(task)))
}

/// What a task waits for: `no progress for 600 s: web.2 is pending: no suitable node: …`.
pub(super) fn delay(draft: &Draft<'_>, service: &Service, task: &Task, waited: Duration) -> String {
    let (name, place, state) = (task.name(&service.spec.name), place(draft, task), task.status.state);
    let what = if state == TaskState::Running { "not ready".to_owned() } else { state.to_string() };
    let probe = task.status.health.as_ref().map(|health| health.output.as_str()).filter(|output| !output.is_empty());
    let why = [task.status.error.as_deref(), probe].into_iter().flatten().next();
    let why = why.map(|why| format!(": {}", clean(why))).unwrap_or_default();
    cut(format!("no progress for {}: {name} is {what}{place}{why}", time(waited)))
}

/// A text that fits where a user's message to a change fits.
pub(super) fn cut(mut text: String) -> String {
    let ellipsis = "…";
    if text.len() > limits::NOTE_BYTES {
        let end = (0..=limits::NOTE_BYTES - ellipsis.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(ellipsis);
    }
    text
}

fn place(draft: &Draft<'_>, task: &Task) -> String {
    let Some(id) = task.node else { return String::new() };
    let hostname = draft.node(id).map(|node| node.description.hostname.clone()).filter(|name| !name.is_empty());
    format!(" on {}", hostname.unwrap_or_else(|| id.to_string()))
}

fn reason(task: &Task) -> String {
    let status = &task.status;
    let exit_code = status.container.as_ref().and_then(|container| container.exit_code);
    match (&status.error, exit_code) {
        (Some(error), _) => clean(error),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) if !status.message.is_empty() => clean(&status.message),
        (None, None) => status.state.to_string(),
    }
}

fn last_line(task: &Task) -> Option<String> {
    task.status.output.as_deref()?.lines().rev().map(clean).find(|line| !line.is_empty())
}

/// One line without control characters.
fn clean(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whole seconds, or milliseconds below one.
fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("{} ms", time.as_millis()) } else { format!("{} s", time.as_secs()) }
}
