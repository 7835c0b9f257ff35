//! `cluster node rm`.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer, request_id};
use crate::failure::Failure;
use crate::print;

/// Flags of `node rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Nodes: host names or ids
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// Remove it even if it is up or a manager
    #[arg(short, long)]
    force: bool,
}

impl Rm {
    /// Removes one after the other, up to the first that cannot be.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        for reference in self.nodes {
            let request = pb::RemoveNodeRequest { reference: reference.clone(), force: self.force, request_id: request_id() };
            match answer(client.control().remove_node(request)).await {
                Ok(_) => print::data(&format!("{reference}\n"))?,
                Err(failure) => return Err(client.suggest_node(&reference, failure).await),
            }
        }
        Ok(())
    }
}
