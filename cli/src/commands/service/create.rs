//! `cluster service create`.

use clap::Args;
use cluster_api::pb;

use super::networks::look_up;
use super::note::Note;
use super::preview::{DryRun, preview};
use crate::client::{Client, answer, answered, request_id};
use crate::failure::Failure;
use crate::print;
use crate::spec::create::CreateFlags;
use crate::watch::progress::Goal;
use crate::watch::{WaitFlags, wait};

/// Flags of `service create`.
#[derive(Debug, Args)]
#[command(override_usage = "cluster service create [OPTIONS] IMAGE [ARGUMENT...]")]
pub(crate) struct Create {
    #[command(flatten)]
    spec: CreateFlags,
    #[command(flatten)]
    note: Note,
    #[command(flatten)]
    dry: DryRun,
    #[command(flatten)]
    wait: WaitFlags,
}

impl Create {
    /// Fails when a flag was given that is not honoured yet.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.spec.check()
    }

    /// Creates it, prints its id, and waits until it runs.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request_id = request_id();
        let networks = look_up(client, self.spec.networks()).await?;
        let spec = self.spec.spec(&request_id[..6], &networks)?;
        if self.dry.dry_run {
            return preview(client, None, &spec, self.dry.format).await;
        }
        let request = pb::CreateServiceRequest { spec: Some((&spec).into()), request_id, message: self.note.message };
        let made = answer(client.control().create_service(request)).await?.service;
        let made = answered(made)?;
        print::data(&format!("{}\n", made.service.id))?;
        if self.wait.detached() {
            return Ok(());
        }
        let goal = Goal { name: made.name().to_owned(), version: made.service.spec_version, ..Goal::default() };
        wait(client, vec![goal], &self.wait).await
    }
}
