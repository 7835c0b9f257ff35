//! `cluster node ls`.

use clap::Args;
use cluster_types::Role;

use crate::client::Client;
use crate::failure::Failure;
use crate::model::NodeView;
use crate::print;
use crate::render::output::ListFlags;
use crate::render::row::{node_availability, node_state};

/// Flags of `node ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    list: ListFlags,
}

/// The filters that it knows.
const FILTERS: &[&str] = &["id", "name", "label", "node.label", "role", "availability", "status"];

impl Ls {
    /// Prints the nodes by host name.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let filters = self.list.filters(FILTERS)?;
        let (nodes, own) = futures::join!(client.nodes(""), client.own_node());
        let mut nodes = nodes?;
        nodes.retain(|view| filters.iter().all(|(key, values)| values.iter().any(|value| matches(view, key, value))));
        nodes.sort_by(|a, b| (&a.node.description.hostname, a.node.id).cmp(&(&b.node.description.hostname, b.node.id)));
        for view in &mut nodes {
            view.is_self = view.node.id.to_string() == own;
        }
        print::data(&self.list.print(&nodes))
    }
}

fn matches(view: &NodeView, key: &str, value: &str) -> bool {
    let node = &view.node;
    match key {
        "id" => node.id.to_string().starts_with(value),
        "name" => node.description.hostname.starts_with(value),
        "label" | "node.label" => super::super::service::ls::labelled(&node.spec.labels, value),
        "role" => value == if node.spec.role == Role::Manager { "manager" } else { "worker" },
        "availability" => value == node_availability(node.spec.availability),
        "status" => value == node_state(node.status.state),
        _ => false,
    }
}
