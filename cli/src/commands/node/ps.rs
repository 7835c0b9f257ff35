//! `cluster node ps`.

use clap::Args;
use cluster_api::pb;

use crate::client::Client;
use crate::commands::service::ps::print_tasks;
use crate::failure::Failure;
use crate::render::output::ListFlags;

/// Flags of `node ps`.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Nodes: host names or ids; this host when absent
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    list: ListFlags,
}

impl Ps {
    /// Prints the tasks of all of them.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let own = ["self".to_owned()];
        let references = if self.nodes.is_empty() { &own } else { self.nodes.as_slice() };
        let mut tasks = Vec::new();
        for reference in references {
            let node = super::resolve(client, reference).await?.node.id.to_string();
            tasks.extend(client.tasks(pb::ListTasksRequest { node, ..Default::default() }).await?);
        }
        print_tasks(tasks, &self.list)
    }
}
