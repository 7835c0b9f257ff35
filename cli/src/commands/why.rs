//! `cluster why`: every node and its verdict on a task, or on one more task of a service, and what would make it fit.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;
use crate::render::output::Format;
use crate::render::why;

/// Flags of `why`.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Task or service: a name such as web.3 or web, or an id
    #[arg(value_name = "TASK|SERVICE")]
    reference: String,
    /// How to print
    #[arg(long, value_enum, default_value_t, hide_default_value = true, env = "CLUSTER_FORMAT")]
    format: Format,
}

impl Why {
    /// Prints the table.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request = pb::ExplainRequest { reference: self.reference.clone() };
        let explained = match answer(client.control().explain(request)).await {
            Ok(explained) => explained,
            Err(failure) => return Err(client.suggest_service(&self.reference, failure).await),
        };
        print::data(&match self.format {
            Format::Table => why::text(&explained),
            Format::Json => format!("{}\n", why::object(&explained)),
        })
    }
}
