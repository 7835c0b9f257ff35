//! `cluster service`: what runs, and how many of it.

mod create;
mod history;
mod inspect;
mod logs;
pub(crate) mod ls;
mod networks;
mod note;
mod preview;
pub(crate) mod ps;
mod restart;
mod rm;
mod rollback;
pub(crate) mod scale;
mod update;

use clap::Subcommand;

use crate::client::Client;
use crate::failure::Failure;

/// The verbs of services.
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Create a service
    Create(Box<create::Create>),
    /// List the services
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    /// List the tasks of services
    Ps(ps::Ps),
    /// Print everything about services, or tasks such as web.3
    Inspect(inspect::Inspect),
    /// Print what the containers of a service, or of a task such as web.3, wrote
    Logs(logs::Logs),
    /// Change a service
    Update(Box<update::Update>),
    /// Go back to an earlier spec of a service
    Rollback(rollback::Rollback),
    /// List the specs that a service has had
    History(history::History),
    /// Replace the tasks of services by new ones; run jobs again
    Restart(restart::Restart),
    /// Change how many tasks services have
    Scale(scale::Scale),
    /// Remove services with all their tasks
    #[command(visible_alias = "remove")]
    Rm(rm::Rm),
}

impl Service {
    /// What can be said without a daemon: fails when a flag was given that is not honoured yet.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.check(),
            Self::Update(update) => update.check(),
            _ => Ok(()),
        }
    }

    /// Runs the verb.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(client).await,
            Self::Ls(ls) => ls.run(client).await,
            Self::Ps(ps) => ps.run(client).await,
            Self::Inspect(inspect) => inspect.run(client).await,
            Self::Logs(logs) => logs.run(client).await,
            Self::Update(update) => update.run(client).await,
            Self::Rollback(rollback) => rollback.run(client).await,
            Self::History(history) => history.run(client).await,
            Self::Restart(restart) => restart.run(client).await,
            Self::Scale(scale) => scale.run(client).await,
            Self::Rm(rm) => rm.run(client).await,
        }
    }
}
