//! `cluster image`: the images on this host.

mod import;
mod ls;
mod pull;
mod rm;

use clap::Subcommand;

use crate::client::Client;
use crate::failure::Failure;

/// The verbs of images.
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Take images from an archive (OCI, or of docker save)
    #[command(visible_alias = "load")]
    Import(import::Import),
    /// Fetch an image from a registry
    Pull(pull::Pull),
    /// List the images
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    /// Remove images
    #[command(visible_alias = "remove")]
    Rm(rm::Rm),
}

impl Image {
    /// Runs the verb.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Import(import) => import.run(client).await,
            Self::Pull(pull) => pull.run(client).await,
            Self::Ls(ls) => ls.run(client).await,
            Self::Rm(rm) => rm.run(client).await,
        }
    }
}
