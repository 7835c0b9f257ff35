//! `cluster service history`: the specs that a service has had.

use clap::Args;

use crate::client::Client;
use crate::failure::Failure;
use crate::print;
use crate::render::age;
use crate::render::output::ListFlags;
use crate::render::row::RevisionRow;

/// Flags of `service history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Service: name or id
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    list: ListFlags,
}

impl History {
    /// Prints the revisions, the newest first.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.list.filters(&[])?;
        let view = client.service(&self.service).await?;
        print::data(&self.list.print(&RevisionRow::rows(&view, age::now())))
    }
}
