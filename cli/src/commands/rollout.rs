//! `cluster rollout`: the update of a service that is under way.

use clap::{Args, Subcommand};
use cluster_api::pb;

use crate::client::{Client, answer, answered, request_id};
use crate::failure::Failure;
use crate::model::ServiceView;
use crate::print;
use crate::render::age;
use crate::render::pretty;
use crate::watch::progress::Goal;
use crate::watch::{WaitFlags, wait};

/// The verbs of updates.
#[derive(Debug, Subcommand)]
pub(crate) enum Rollout {
    /// Show how the last update of a service goes
    Status(Status),
    /// Stop an update where it is
    Pause(Pause),
    /// Go on with an update that is paused; its failures so far are forgiven
    Resume(Steer),
    /// Go on with an update whose canaries are good
    Promote(Steer),
}

/// Flags of `rollout status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Service: name or id
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Wait for its end, as the command that began it does
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    wait: WaitFlags,
}

/// Flags of `rollout pause`.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Services: names or ids
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
}

/// Flags of `rollout resume` and `promote`.
#[derive(Debug, Args)]
pub(crate) struct Steer {
    /// Service: name or id
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    wait: WaitFlags,
}

impl Rollout {
    /// Runs the verb.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Status(status) => status.run(client).await,
            Self::Pause(pause) => pause.run(client).await,
            Self::Resume(flags) => flags.run(client, pb::Steer::Resume).await,
            Self::Promote(flags) => flags.run(client, pb::Steer::Promote).await,
        }
    }
}

impl Status {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let view = client.service(&self.service).await?;
        print::data(&pretty::rollout(&view, age::now()))?;
        let over = view.service.update.as_ref().is_none_or(|update| update.state.is_completed());
        if self.watch && !over { follow(client, view, &self.wait).await } else { Ok(()) }
    }
}

impl Pause {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        for reference in &self.services {
            let view = steer(client, reference, pb::Steer::PauseRollout).await?;
            print::words(&format!("ok  the update of {0} is paused     go on: cluster rollout resume {0}", view.name()));
        }
        Ok(())
    }
}

impl Steer {
    async fn run(self, client: &Client, how: pb::Steer) -> Result<(), Failure> {
        let view = steer(client, &self.service, how).await?;
        if self.wait.detached() { Ok(()) } else { follow(client, view, &self.wait).await }
    }
}

async fn steer(client: &Client, reference: &str, how: pb::Steer) -> Result<ServiceView, Failure> {
    let request = pb::SteerUpdateRequest { reference: reference.to_owned(), steer: how.into(), request_id: request_id() };
    match answer(client.control().steer_update(request)).await {
        Ok(steered) => answered(steered.service),
        Err(failure) => Err(client.suggest_service(reference, failure).await),
    }
}

/// Waits for the end of the update that a service has.
async fn follow(client: &Client, view: ServiceView, flags: &WaitFlags) -> Result<(), Failure> {
    let ended = client.ended(&view).await?;
    let update = view.service.update.as_ref();
    let goal = Goal {
        name: view.name().to_owned(),
        version: view.service.spec_version,
        floor: update.map(|update| update.target),
        ended,
        rollback: update.is_some_and(|update| update.state.is_rollback()),
        run: None,
    };
    wait(client, vec![goal], flags).await
}
