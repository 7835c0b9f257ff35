//! `cluster service update`, and the change of a spec that `scale` shares.

use clap::Args;
use cluster_api::pb;
use cluster_types::ServiceSpec;

use super::networks::look_up;
use super::note::Note;
use super::preview::{Checked, preview};
use super::rollback::roll_back;
use crate::client::{Client, answer, answered, request_id};
use crate::failure::{Exit, Failure};
use crate::model::ServiceView;
use crate::spec::edit::edit;
use crate::spec::network::NetworkIds;
use crate::spec::update::UpdateFlags;
use crate::watch::progress::Goal;
use crate::watch::{WaitFlags, wait};

/// Times that a change is tried again when somebody else was faster.
const TRIES: usize = 3;

/// Flags of `service update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Service: name or id
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    flags: UpdateFlags,
    #[command(flatten)]
    note: Note,
    #[command(flatten)]
    checked: Checked,
    #[command(flatten)]
    wait: WaitFlags,
}

impl Update {
    /// Fails when a flag was given that is not honoured yet.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.flags.check()
    }

    /// Sends the change and waits until it is rolled out.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let networks = look_up(client, self.flags.networks()).await?;
        if self.flags.rolls_back() {
            self.alone(client, &networks).await?;
            return roll_back(client, &self.service, None, self.note.message, &self.wait).await;
        }
        if self.checked.dry.dry_run {
            let service = client.service(&self.service).await?;
            return preview(client, Some(&service), &edit(&self.flags, &networks, service.spec())?, self.checked.dry.format).await;
        }
        let how = How { message: &self.note.message, check: self.checked.check_version };
        let goal = change(client, &self.service, how, |old| edit(&self.flags, &networks, old)).await?;
        if self.wait.detached() { Ok(()) } else { wait(client, vec![goal], &self.wait).await }
    }
}

impl Update {
    /// As docker: no other change goes with `--rollback`.
    async fn alone(&self, client: &Client, networks: &NetworkIds) -> Result<(), Failure> {
        let old = client.service(&self.service).await?;
        let mut new = edit(&self.flags, networks, old.spec())?;
        new.update.canary = old.spec().update.canary;
        if new == **old.spec() { Ok(()) } else { Err(Failure::usage("no other change goes with --rollback")) }
    }
}

/// How a change is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    /// Why, for the history.
    pub(super) message: &'a str,
    /// The version that the service must still have.
    pub(super) check: Option<u64>,
}

/// Changes the spec that a service has now; again from its newest one when somebody else was faster.
pub(super) async fn change(
    client: &Client,
    reference: &str,
    how: How<'_>,
    edit: impl Fn(&ServiceSpec) -> Result<ServiceSpec, Failure>,
) -> Result<Goal, Failure> {
    // What was looked at is the only thing that may be changed.
    let mut tries = if how.check.is_some() { 1 } else { TRIES };
    loop {
        let service = client.service(reference).await?;
        let ended = client.ended(&service).await?;
        let spec = edit(service.spec())?;
        tries -= 1;
        match send(client, &service, &spec, how).await {
            Err(failure) if failure.exit == Exit::Conflict && tries > 0 => {}
            Err(failure) => return Err(failure),
            Ok(changed) => {
                let rolled = spec.task != service.spec().task || spec.ports != service.spec().ports;
                let version = changed.service.spec_version;
                let forced = spec.task.force_update != service.spec().task.force_update;
                let run = forced.then(|| service.service.job.as_ref().map_or(0, |job| job.iteration) + 1);
                return Ok(Goal { name: spec.name, version, floor: rolled.then_some(version), ended, rollback: false, run });
            }
        }
    }
}

async fn send(client: &Client, service: &ServiceView, spec: &ServiceSpec, how: How<'_>) -> Result<ServiceView, Failure> {
    let request = pb::UpdateServiceRequest {
        reference: service.service.id.to_string(),
        expect: how.check.unwrap_or(service.service.meta.version.0),
        spec: Some(spec.into()),
        request_id: request_id(),
        message: how.message.to_owned(),
    };
    answered(answer(client.control().update_service(request)).await?.service)
}
