//! `cluster service rm`.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer, request_id};
use crate::failure::Failure;
use crate::print;

/// Flags of `service rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Services: names or ids
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
}

impl Rm {
    /// Removes one after the other, up to the first that cannot be.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        for reference in self.services {
            let request = pb::RemoveServiceRequest { reference: reference.clone(), request_id: request_id() };
            match answer(client.control().remove_service(request)).await {
                Ok(_) => print::data(&format!("{reference}\n"))?,
                Err(failure) => return Err(client.suggest_service(&reference, failure).await),
            }
        }
        Ok(())
    }
}
