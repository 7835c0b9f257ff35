//! `cluster image rm`.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;

/// Flags of `image rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Images: names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Rm {
    /// Removes one after the other; prints what went.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        for reference in self.images {
            let gone = answer(client.local()?.remove_image(pb::RemoveImageRequest { reference })).await?;
            print::data(&gone.removed.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        }
        Ok(())
    }
}
