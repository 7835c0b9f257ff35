//! Why a task is where it is, or nowhere: the verdict of every node, and what would make it fit.

use cluster_api::pb;
use serde_json::{Value, json};

use super::plain::plain;
use super::table::table;

/// For people.
pub(crate) fn text(explained: &pb::ExplainResponse) -> String {
    let rows: Vec<Vec<String>> = explained.nodes.iter().map(row).collect();
    let mut text = format!("{}\n\n{}", plain(&head(explained)), table(&["NODE", "RANK", "VERDICT"], &rows));
    if !explained.remedies.is_empty() {
        text.push_str("\nAny one of these would make it fit:\n");
        explained.remedies.iter().for_each(|remedy| text.push_str(&format!("  {}\n", plain(remedy))));
    }
    text
}

fn head(explained: &pb::ExplainResponse) -> String {
    let pb::ExplainResponse { service_name, task_name, placed_hostname, waiting, nodes, .. } = explained;
    let fit = nodes.iter().filter(|node| node.rank > 0).count();
    match (task_name.is_empty(), placed_hostname.is_empty()) {
        (true, _) if *waiting > 0 => {
            format!("{service_name}: {waiting} waiting for a node; for one more task {fit} of {} nodes fit", nodes.len())
        }
        (true, _) => format!("{service_name}: for one more task {fit} of {} nodes fit", nodes.len()),
        (false, false) => format!("{task_name} is on {placed_hostname}; for another one like it:"),
        (false, true) => format!("{task_name} has no node: {fit} of {} fit", nodes.len()),
    }
}

fn row(node: &pb::NodeVerdict) -> Vec<String> {
    let rank = if node.rank == 0 { "-".to_owned() } else { node.rank.to_string() };
    vec![node.hostname.clone(), rank, node.verdict.lines().collect::<Vec<_>>().join("; ")]
}

/// For programs.
pub(crate) fn object(explained: &pb::ExplainResponse) -> Value {
    let node = |node: &pb::NodeVerdict| json!({ "ID": node.node, "Hostname": node.hostname, "Rank": node.rank, "Fits": node.rank > 0, "Verdict": node.verdict });
    json!({
        "ServiceID": explained.service,
        "Service": explained.service_name,
        "TaskID": explained.task,
        "Task": explained.task_name,
        "NodeID": explained.placed,
        "Node": explained.placed_hostname,
        "Waiting": explained.waiting,
        "Nodes": explained.nodes.iter().map(node).collect::<Vec<_>>(),
        "Remedies": explained.remedies,
    })
}
