//! `cluster network rm`.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer, request_id};
use crate::failure::Failure;
use crate::print;

/// Flags of `network rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Networks: names or ids
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

impl Rm {
    /// Removes one after the other, up to the first that cannot be: the manager says which services use it.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        for reference in self.networks {
            let request = pb::RemoveNetworkRequest { reference: reference.clone(), request_id: request_id() };
            match answer(client.control().remove_network(request)).await {
                Ok(_) => print::data(&format!("{reference}\n"))?,
                Err(failure) => return Err(client.suggest_network(&reference, failure).await),
            }
        }
        Ok(())
    }
}
