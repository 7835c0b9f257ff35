//! `cluster service scale web=5 api=3`.

use clap::Args;
use cluster_types::{ServiceMode, ServiceSpec};

use super::update::change;
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
        let mut goals = Vec::with_capacity(self.targets.len());
        for (reference, replicas) in &self.targets {
            let goal = change(client, reference, |old| {
                print::words(&format!("{}  {} -> {replicas} replicas", old.name, count(old)));
                Ok(ServiceSpec { mode: scaled(old, *replicas)?, ..old.clone() })
            });
            goals.push(goal.await?);
        }
        if self.wait.detached() { Ok(()) } else { wait(client, goals, &self.wait).await }
    }
}

fn count(spec: &ServiceSpec) -> String {
    match spec.mode {
        ServiceMode::Replicated { replicas } => replicas.to_string(),
        ServiceMode::Global => "global".to_owned(),
    }
}
