//! `cluster service rollback`: back to an earlier spec, as a new revision.

use clap::Args;
use cluster_api::pb;

use super::note::Note;
use crate::client::{Client, answer, answered, request_id};
use crate::failure::Failure;
use crate::print;
use crate::watch::progress::Goal;
use crate::watch::{WaitFlags, wait};

/// Flags of `service rollback`.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Service: name or id
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Revision to go back to, as service history numbers them; the one before when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
    #[command(flatten)]
    note: Note,
    #[command(flatten)]
    wait: WaitFlags,
}

impl Rollback {
    /// Asks for it and waits until it is done.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        roll_back(client, &self.service, self.to, self.note.message, &self.wait).await
    }
}

/// Goes back to a revision, or to the one before.
pub(super) async fn roll_back(
    client: &Client,
    reference: &str,
    to: Option<u64>,
    message: String,
    flags: &WaitFlags,
) -> Result<(), Failure> {
    let service = client.service(reference).await?;
    let ended = client.ended(&service).await?;
    let reference = service.service.id.to_string();
    let request = pb::RollBackServiceRequest { reference, to: to.unwrap_or(0), message, request_id: request_id() };
    let changed = answered(answer(client.control().roll_back_service(request)).await?.service)?;
    let (old, new) = (service.service.history.last(), changed.service.history.last());
    if let (Some(old), Some(new)) = (old, new) {
        let restores = new.restores.map(|number| format!(" with the spec of revision {number}")).unwrap_or_default();
        print::words(&format!("{}  revision {} -> {}{restores}", changed.name(), old.number, new.number));
    }
    if flags.detached() {
        return Ok(());
    }
    let version = changed.service.spec_version;
    let rolled = changed.spec().task != service.spec().task || changed.spec().ports != service.spec().ports;
    let goal = Goal { name: changed.name().to_owned(), version, floor: rolled.then_some(version), ended, rollback: true, run: None };
    wait(client, vec![goal], flags).await
}
