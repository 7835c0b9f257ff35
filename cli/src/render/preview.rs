//! What a change of a service would do: the fields that become others, and where tasks start and stop.

use cluster_api::pb;
use cluster_types::UpdateState;
use serde_json::{Value, json};

use super::plain::plain;
use super::table::table;

/// For people.
pub(crate) fn text(name: &str, previewed: &pb::PreviewServiceResponse) -> String {
    let mut lines: Vec<String> = vec![match (previewed.version, previewed.fields.is_empty()) {
        (0, _) => format!("{name} would be created"),
        (version, true) => format!("{name} would stay as it is (version {version})"),
        (version, false) => format!("{name} would change (version {version})"),
    }];
    lines.extend(previewed.fields.iter().map(field));
    if !previewed.nodes.is_empty() {
        let rows: Vec<Vec<String>> = previewed.nodes.iter().map(node).collect();
        lines.push(String::new());
        lines.extend(table(&["NODE", "STARTS", "STOPS"], &rows).lines().map(str::to_owned));
        lines.push(String::new());
    }
    lines.push(format!("{} as they are", tasks(previewed.kept, "stays", "stay")));
    let waiting =
        |of: &pb::Waiting| format!("{}: {}", tasks(of.tasks, "would wait", "would wait"), of.reason.lines().collect::<Vec<_>>().join("; "));
    lines.extend(previewed.waiting.iter().map(waiting));
    lines.extend(update(previewed).and_then(by_itself).map(str::to_owned));
    if !previewed.settles {
        lines.push("it would not come to rest soon: these are the figures of its beginning".to_owned());
    }
    if previewed.version > 0 && previewed.never.is_empty() {
        lines.push(format!("apply exactly this: --check-version {}", previewed.version));
    }
    lines.iter().map(|line| format!("{}\n", plain(line).trim_end())).collect()
}

/// For programs. A field that is not set is null.
pub(crate) fn object(name: &str, previewed: &pb::PreviewServiceResponse) -> Value {
    let field = |of: &pb::FieldChange| json!({ "Field": of.field, "Before": of.before, "After": of.after });
    let node = |of: &pb::NodeChange| json!({ "ID": of.node, "Hostname": of.hostname, "Starts": of.starts, "Stops": of.stops });
    let waiting = |of: &pb::Waiting| json!({ "Reason": of.reason, "Tasks": of.tasks });
    json!({
        "Service": name,
        "Version": (previewed.version > 0).then_some(previewed.version),
        "Fields": previewed.fields.iter().map(field).collect::<Vec<_>>(),
        "Nodes": previewed.nodes.iter().map(node).collect::<Vec<_>>(),
        "Kept": previewed.kept,
        "Waiting": previewed.waiting.iter().map(waiting).collect::<Vec<_>>(),
        "Update": update(previewed).map(UpdateState::word),
        "Settles": previewed.settles,
        "Never": previewed.never,
    })
}

/// How far the update gets by itself.
fn update(previewed: &pb::PreviewServiceResponse) -> Option<UpdateState> {
    previewed.update.and_then(|state| pb::UpdateState::try_from(state).ok()).map(UpdateState::from)
}

fn field(change: &pb::FieldChange) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("  {}: {before} -> {after}", change.field),
        (None, Some(after)) => format!("+ {}: {after}", change.field),
        (Some(before), None) => format!("- {}: {before}", change.field),
        (None, None) => format!("  {}", change.field),
    }
}

fn node(of: &pb::NodeChange) -> Vec<String> {
    vec![of.hostname.clone(), of.starts.to_string(), of.stops.to_string()]
}

fn tasks(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 task {one}") } else { format!("{count} tasks {many}") }
}

/// Where the update stands still; nothing when it comes to its end.
fn by_itself(state: UpdateState) -> Option<&'static str> {
    match state {
        UpdateState::Canary => Some("the update would wait to be promoted after its canaries"),
        UpdateState::Paused | UpdateState::RollbackPaused => Some("the update would pause"),
        UpdateState::RollbackStarted | UpdateState::RollbackCompleted => Some("the update would be rolled back"),
        UpdateState::Updating | UpdateState::Completed => None,
    }
}
