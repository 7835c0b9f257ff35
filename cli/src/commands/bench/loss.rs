//! `bench loss`: from a host that is cut off to its tasks running on other hosts (performance.md P11). How a host is cut off and brought back
//! is the caller's command: a cable, a rule, a switch.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use cluster_api::pb;
use cluster_types::{ContainerSpec, NodeId, NodeState, Placement, ServiceMode, ServiceSpec, TaskSpec, TaskState};
use serde_json::json;

use super::failed;
use super::meter::{line, spread};
use crate::client::{Client, answer, request_id};
use crate::connect::Host;
use crate::failure::Failure;
use crate::model::TaskView;

/// Between two looks at the tasks.
const LOOK: Duration = Duration::from_millis(5);

/// Flags of `bench loss`.
#[derive(Debug, Args)]
pub(crate) struct Loss {
    /// Image that all hosts have, whose process runs on
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// Node that is cut off; no manager
    #[arg(long, value_name = "NODE")]
    node: String,
    /// Shell command that cuts it off
    #[arg(long, value_name = "COMMAND")]
    cut: String,
    /// Shell command that brings it back
    #[arg(long, value_name = "COMMAND")]
    heal: String,
    /// Tasks of the service that is made for it
    #[arg(long, value_name = "N", default_value_t = 6)]
    replicas: u64,
    /// How often
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Longest time for each step
    #[arg(long, value_name = "DURATION", value_parser = crate::spec::value::duration, default_value = "1m")]
    patience: Duration,
}

impl Loss {
    /// Measures.
    pub(crate) async fn run(self, host: &Host, identity: Option<&Path>) -> Result<(), Failure> {
        let client = Client::open(host, identity).await?;
        let node = client.node(&self.node).await?.node.id;
        let name = format!("bench-{}", request_id());
        let request =
            pb::CreateServiceRequest { spec: Some((&self.service(&name)).into()), request_id: request_id(), ..Default::default() };
        answer(client.control().create_service(request)).await?;
        let measured = self.rounds(&client, &name, node).await;
        let request = pb::RemoveServiceRequest { reference: name, request_id: request_id() };
        answer(client.control().remove_service(request)).await?;
        let figures = json!({ "rounds": self.rounds, "replicas": self.replicas, "cut_to_replaced": spread(&mut measured?) });
        line("loss", figures)
    }

    fn service(&self, name: &str) -> ServiceSpec {
        let container = ContainerSpec { image: self.image.clone(), ..ContainerSpec::default() };
        let mode = ServiceMode::Replicated { replicas: self.replicas };
        // The node that came back gets tasks again by itself.
        let placement = Placement { auto_rebalance: true, ..Placement::default() };
        ServiceSpec {
            name: name.to_owned(),
            task: TaskSpec { container, placement, ..TaskSpec::default() },
            mode,
            ..ServiceSpec::default()
        }
    }

    async fn rounds(&self, client: &Client, name: &str, node: NodeId) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::new();
        for _ in 0..self.rounds {
            let ready = self.until("the tasks run, some of them on the node", async || {
                let on = placed(client, name, node).await?;
                Ok(on.0 > 0 && on.0 + on.1 == self.replicas)
            });
            ready.await?;
            shell(&self.cut)?;
            let cut = Instant::now();
            self.until("all tasks run elsewhere", async || Ok(placed(client, name, node).await?.1 == self.replicas)).await?;
            times.push(cut.elapsed());
            shell(&self.heal)?;
            self.until("the node is back", async || Ok(client.node(&self.node).await?.node.status.state == NodeState::Ready)).await?;
        }
        Ok(times)
    }

    async fn until(&self, what: &str, mut check: impl AsyncFnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
        let waiting = async {
            while !check().await? {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        let late = |_| Err(failed(format!("after {:?}, not: {what}", self.patience)));
        tokio::time::timeout(self.patience, waiting).await.unwrap_or_else(late)
    }
}

/// How many tasks of a service run on a node, and how many elsewhere.
async fn placed(client: &Client, name: &str, node: NodeId) -> Result<(u64, u64), Failure> {
    let tasks = client.tasks(pb::ListTasksRequest { service: name.to_owned(), ..Default::default() }).await?;
    let runs = |view: &&TaskView| view.task.is_wanted() && view.task.status.state == TaskState::Running;
    let (here, elsewhere): (Vec<_>, Vec<_>) = tasks.iter().filter(runs).partition(|view| view.task.node == Some(node));
    Ok((here.len() as u64, elsewhere.len() as u64))
}

fn shell(command: &str) -> Result<(), Failure> {
    let ended = Command::new("sh").args(["-c", command]).status().map_err(failed)?;
    if ended.success() { Ok(()) } else { Err(failed(format!("`{command}` ended with {ended}"))) }
}
