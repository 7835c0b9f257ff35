//! `cluster service restart`: new tasks of the same spec, as an update. Of a job: another run.

use clap::Args;

use super::note::Note;
use super::update::{How, change};
use crate::client::Client;
use crate::failure::Failure;
use crate::spec::edit::forced;
use crate::watch::{WaitFlags, wait};

/// Flags of `service restart`.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// Services: names or ids
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    #[command(flatten)]
    note: Note,
    #[command(flatten)]
    wait: WaitFlags,
}

impl Restart {
    /// Sends all changes, then waits for all of them side by side.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let how = How { message: &self.note.message, check: None };
        let mut goals = Vec::with_capacity(self.services.len());
        for reference in &self.services {
            goals.push(change(client, reference, how, |old| Ok(forced(old))).await?);
        }
        if self.wait.detached() { Ok(()) } else { wait(client, goals, &self.wait).await }
    }
}
