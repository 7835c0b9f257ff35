//! `cluster node inspect`.

use clap::Args;

use crate::client::Client;
use crate::failure::Failure;
use crate::print;
use crate::render::inspect;
use crate::render::output::Format;

/// Flags of `node inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Nodes: host names or ids; `self` is this host
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// An indented array, or one object a line
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    format: Format,
}

impl Inspect {
    /// Prints them all, or none.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut objects = Vec::with_capacity(self.nodes.len());
        for reference in &self.nodes {
            objects.push(super::resolve(client, reference).await?.inspect());
        }
        print::data(&inspect::print(&objects, self.format))
    }
}
