//! `cluster service history`: the specs that a service has had.

use std::collections::BTreeMap;

use clap::Args;
use cluster_types::Version;

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
    /// Prints the revisions, the newest first. Images are known of those that have tasks.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.list.filters(&[])?;
        let view = client.service(&self.service).await?;
        let tasks = client.tasks_of(&view).await?;
        let mut images: BTreeMap<Version, String> = tasks.into_iter().map(|view| (view.task.spec_version, view.image)).collect();
        images.insert(view.service.spec_version, view.spec().task.container.image.clone());
        print::data(&self.list.print(&RevisionRow::rows(&view.service, &images, age::now())))
    }
}
