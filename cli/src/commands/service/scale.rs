//! `cluster service scale web=5 api=3`.

use clap::Args;
use cluster_types::{ServiceMode, ServiceSpec};

use super::note::Note;
use super::preview::{Checked, preview};
use super::update::{How, change};
use crate::client::Client;
use crate::failure::Failure;
use crate::print;
use crate::spec::edit::scaled;
use crate::watch::{WaitFlags, wait};

/// Flags of `service scale`.
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// Services and their new number of tasks
    #[arg(required = true, value_name = "SERVICE=REPLICAS", value_parser = target)]
    targets: Vec<(String, u64)>,
    #[command(flatten)]
    note: Note,
    #[command(flatten)]
    checked: Checked,
    #[command(flatten)]
    wait: WaitFlags,
}

/// `web=5`.
fn target(text: &str) -> Result<(String, u64), String> {
    let wrong = || format!("`{text}` is not SERVICE=REPLICAS, such as web=5");
    let (service, replicas) = text.rsplit_once('=').filter(|(service, _)| !service.is_empty()).ok_or_else(wrong)?;
    Ok((service.to_owned(), replicas.parse().map_err(|_| wrong())?))
}

impl Scale {
    /// Sends all changes, then waits for all of them side by side.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.checked.check_version.is_some() && self.targets.len() > 1 {
            return Err(Failure::usage("--check-version is for one service"));
        }
        if self.checked.dry.dry_run {
            return self.preview(client).await;
        }
        let how = How { message: &self.note.message, check: self.checked.check_version };
        let mut goals = Vec::with_capacity(self.targets.len());
        for (reference, replicas) in &self.targets {
            let goal = change(client, reference, how, |old| {
                print::words(&format!("{}  {} -> {replicas} replicas", old.name, count(old)));
                Ok(ServiceSpec { mode: scaled(old, *replicas)?, ..old.clone() })
            });
            goals.push(goal.await?);
        }
        if self.wait.detached() { Ok(()) } else { wait(client, goals, &self.wait).await }
    }
}

impl Scale {
    async fn preview(&self, client: &Client) -> Result<(), Failure> {
        for (reference, replicas) in &self.targets {
            let service = client.service(reference).await?;
            let spec = ServiceSpec { mode: scaled(service.spec(), *replicas)?, ..(**service.spec()).clone() };
            preview(client, Some(&service), &spec, self.checked.dry.format).await?;
        }
        Ok(())
    }
}

fn count(spec: &ServiceSpec) -> String {
    match spec.mode {
        ServiceMode::Replicated { replicas } => replicas.to_string(),
        ServiceMode::ReplicatedJob { total, .. } => total.to_string(),
        mode @ (ServiceMode::Global | ServiceMode::GlobalJob) => mode.word().to_owned(),
    }
}
