//! `cluster service update`, and the change of a spec that `scale` shares.

use clap::Args;
use cluster_api::pb;
use cluster_types::ServiceSpec;

use super::networks::look_up;
use crate::client::{Client, answer, request_id};
use crate::failure::{Exit, Failure};
use crate::model::ServiceView;
use crate::spec::edit::edit;
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
        let goal = change(client, &self.service, |old| edit(&self.flags, &networks, old)).await?;
        if self.wait.detached() { Ok(()) } else { wait(client, vec![goal], &self.wait).await }
    }
}

/// Changes the spec that a service has now; again from its newest one when somebody else was faster.
pub(super) async fn change(
    client: &Client,
    reference: &str,
    edit: impl Fn(&ServiceSpec) -> Result<ServiceSpec, Failure>,
) -> Result<Goal, Failure> {
    let mut tries = TRIES;
    loop {
        let service = client.service(reference).await?;
        let ended = client.ended(&service).await?;
        let spec = edit(service.spec())?;
        tries -= 1;
        match send(client, &service, &spec).await {
            Err(failure) if failure.exit == Exit::Conflict && tries > 0 => {}
            Err(failure) => return Err(failure),
            Ok(changed) => {
                let rolled = spec.task != service.spec().task || spec.ports != service.spec().ports;
                let floor = rolled.then_some(changed.service.spec_version);
                return Ok(Goal { name: spec.name, floor, ended });
            }
        }
    }
}

async fn send(client: &Client, service: &ServiceView, spec: &ServiceSpec) -> Result<ServiceView, Failure> {
    let request = pb::UpdateServiceRequest {
        reference: service.service.id.to_string(),
        expect: service.service.meta.version.0,
        spec: Some(spec.into()),
        request_id: request_id(),
    };
    let changed = answer(client.control().update_service(request)).await?.service;
    Ok(ServiceView::try_from(changed.ok_or_else(|| cluster_api::FieldError::new("service", "is missing"))?)?)
}
