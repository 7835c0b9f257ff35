//! `cluster status`: this host's daemon, and the cluster as far as it is known here.

use clap::Args;
use cluster_api::pb;
use cluster_types::Timestamp;
use serde_json::json;

use super::join::role;
use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;
use crate::render::age;
use crate::render::output::Format;

/// Flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// How to print
    #[arg(long, value_enum, default_value_t, hide_default_value = true, env = "CLUSTER_FORMAT")]
    format: Format,
}

impl Status {
    /// Prints both.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let host = answer(client.local()?.status(pb::StatusRequest {})).await?;
        let member = !host.node_id.is_empty();
        // A worker's daemon cannot answer for the cluster; a manager without a leader can neither.
        let cluster = if member { Some(answer(client.control().get_cluster(pb::GetClusterRequest {})).await) } else { None };
        match self.format {
            Format::Json => print::data(&format!("{}\n", object(&host, cluster.as_ref().and_then(|cluster| cluster.as_ref().ok())))),
            Format::Table => print::data(&text(&host, cluster.as_ref(), age::now())),
        }
    }
}

/// The lines for people.
pub(crate) fn text(host: &pb::StatusResponse, cluster: Option<&Result<pb::GetClusterResponse, Failure>>, now: Timestamp) -> String {
    let mut lines = vec![("daemon", format!("{}, runtime {}", host.version, host.runtime)), ("host", host.hostname.clone())];
    if host.node_id.is_empty() {
        lines.push(("cluster", "none: make one with `cluster init` or join one with `cluster join`".to_owned()));
        return columns(&lines);
    }
    lines.push(("node", format!("{}, {} at {}", host.node_id, role(host.role), host.advertise_address)));
    lines.push(("containers", host.containers.to_string()));
    let session = match (host.session_open, host.trouble.as_str()) {
        (true, _) => "open".to_owned(),
        (false, "") => "not open: this host hears nothing new".to_owned(),
        (false, trouble) => format!("not open: {trouble}"),
    };
    lines.push(("session", session));
    let leader = match (host.is_leader, host.leader_address.as_str()) {
        (true, _) => "this host".to_owned(),
        (false, "") => "none known".to_owned(),
        (false, address) => address.to_owned(),
    };
    lines.push((if role(host.role) == "manager" { "leader" } else { "manager" }, leader));
    let expires = Timestamp(host.certificate_expires_ms);
    lines.push(("certificate", format!("ends in {}, on {}", age::words(expires.since(now)).to_lowercase(), age::rfc3339(expires))));
    match cluster {
        Some(Ok(cluster)) => {
            lines.push(("cluster", format!("{} ({})", cluster.name, cluster.id)));
            let pb::GetClusterResponse { nodes, managers, services, tasks, log_index, .. } = cluster;
            let many = |count: &u32, noun: &str| format!("{count} {noun}{}", if *count == 1 { "" } else { "s" });
            let (nodes, managers) = (many(nodes, "node"), many(managers, "manager"));
            let (services, tasks) = (many(services, "service"), many(tasks, "task"));
            lines.push(("has", format!("{nodes} ({managers}), {services}, {tasks}, log index {log_index}")));
        }
        Some(Err(failure)) => lines.push(("cluster", format!("{}: {}", host.cluster_id, failure.what))),
        None => {}
    }
    columns(&lines)
}

fn columns(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(label, value)| format!("{label:<12} {}\n", crate::render::plain::plain(value))).collect()
}

fn object(host: &pb::StatusResponse, cluster: Option<&pb::GetClusterResponse>) -> serde_json::Value {
    let mut object = json!({
        "NodeID": host.node_id,
        "ClusterID": host.cluster_id,
        "Hostname": host.hostname,
        "Addr": host.advertise_address,
        "LeaderAddr": host.leader_address,
        "Leader": host.is_leader,
        "Session": host.session_open,
        "Version": host.version,
        "Runtime": host.runtime,
        "Containers": host.containers,
        "Managers": host.manager_addresses,
    });
    if !host.node_id.is_empty() {
        object["Role"] = json!(role(host.role));
        object["CertificateExpires"] = json!(age::rfc3339(Timestamp(host.certificate_expires_ms)));
    }
    if let Some(cluster) = cluster {
        object["Cluster"] = json!({
            "ID": cluster.id,
            "Name": cluster.name,
            "CreatedAt": age::rfc3339(Timestamp(cluster.created_ms)),
            "Leader": cluster.leader,
            "Term": cluster.term,
            "LogIndex": cluster.log_index,
            "Nodes": cluster.nodes,
            "Managers": cluster.managers,
            "Services": cluster.services,
            "Tasks": cluster.tasks,
            "CADigest": cluster.ca_digest,
        });
    }
    object
}
