//! `cluster network`: what containers reach each other through.

mod create;
mod inspect;
mod ls;
mod rm;

use clap::Subcommand;

use crate::client::Client;
use crate::failure::Failure;

/// The verbs of networks.
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Create a network
    Create(create::Create),
    /// List the networks
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    /// Print everything about networks
    Inspect(inspect::Inspect),
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm(rm::Rm),
}

impl Network {
    /// What can be said without a daemon: fails when a flag was given that is not honoured yet.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.check(),
            Self::Ls(_) | Self::Inspect(_) | Self::Rm(_) => Ok(()),
        }
    }

    /// Runs the verb.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(client).await,
            Self::Ls(ls) => ls.run(client).await,
            Self::Inspect(inspect) => inspect.run(client).await,
            Self::Rm(rm) => rm.run(client).await,
        }
    }
}
