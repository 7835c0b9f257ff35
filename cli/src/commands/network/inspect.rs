//! `cluster network inspect`.

use clap::Args;

use crate::client::Client;
use crate::failure::Failure;
use crate::print;
use crate::render::inspect;
use crate::render::output::Format;

/// Flags of `network inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Networks: names or ids
    #[arg(required = true, value_name = "NETWORK")]
    networks: Vec<String>,
    /// An indented array, or one object a line
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    format: Format,
}

impl Inspect {
    /// Prints them all, or none.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut networks = Vec::with_capacity(self.networks.len());
        for reference in &self.networks {
            networks.push(client.network(reference).await?);
        }
        let nodes = client.nodes("").await?;
        let objects: Vec<_> = networks.iter().map(|network| network.inspect(&nodes)).collect();
        print::data(&inspect::print(&objects, self.format))
    }
}
