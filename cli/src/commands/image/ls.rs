//! `cluster image ls`.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;
use crate::render::age;
use crate::render::output::ListFlags;
use crate::render::row::ImageRow;

/// Flags of `image ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    list: ListFlags,
}

impl Ls {
    /// Prints the images of this host by name.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let filters = self.list.filters(&["reference"])?;
        let images = answer(client.local()?.list_images(pb::ListImagesRequest {})).await?.images;
        let mut rows = ImageRow::rows(images, age::now());
        rows.retain(|row| filters.values().all(|values| values.iter().any(|value| row.name().starts_with(value))));
        print::data(&self.list.print(&rows))
    }
}
