//! `bench lifecycle`: one replica at a time on this host: from the request to `Running` in the cluster's log (performance.md P4), and from
//! a killed container process to its replacement there (P12). It looks at once whenever the cluster says that something changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use cluster_api::pb;
use cluster_types::{ContainerSpec, RestartPolicy, ServiceMode, ServiceSpec, TaskId, TaskSpec, TaskState};
use futures::StreamExt;
use serde_json::json;

use super::meter::{line, spread};
use super::{failed, kill};
use crate::client::{Client, answer, request_id};
use crate::connect::Host;
use crate::failure::Failure;

/// Between two looks for what is left of a service.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Flags of `bench lifecycle`.
#[derive(Debug, Args)]
pub(crate) struct Lifecycle {
    /// Image that this host has, whose process runs on
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// Services that are created, one after the other
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Longest time for each step
    #[arg(long, value_name = "DURATION", value_parser = crate::spec::value::duration, default_value = "30s")]
    patience: Duration,
}

/// A replica that runs.
struct Running {
    task: TaskId,
    pid: u32,
}

impl Lifecycle {
    /// Measures.
    pub(crate) async fn run(self, host: &Host, identity: Option<&Path>) -> Result<(), Failure> {
        let client = Client::open(host, identity).await?;
        let (mut created, mut replaced) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let name = format!("bench-{}", request_id());
            let measured = self.round(&client, &name).await;
            self.remove(&client, name).await?;
            let (create, replace) = measured?;
            created.push(create);
            replaced.push(replace);
        }
        line(
            "lifecycle",
            json!({ "rounds": self.rounds, "create_to_running": spread(&mut created), "killed_to_replaced": spread(&mut replaced) }),
        )
    }

    async fn round(&self, client: &Client, name: &str) -> Result<(Duration, Duration), Failure> {
        let begun = Instant::now();
        let request = pb::CreateServiceRequest { spec: Some((&self.service(name)).into()), request_id: request_id(), ..Default::default() };
        answer(client.control().create_service(request)).await?;
        let first = self.until_running(client, name, None).await?;
        let create = begun.elapsed();
        let begun = Instant::now();
        kill(first.pid)?;
        self.until_running(client, name, Some(first.task)).await?;
        Ok((create, begun.elapsed()))
    }

    fn service(&self, name: &str) -> ServiceSpec {
        ServiceSpec {
            name: name.to_owned(),
            task: TaskSpec {
                container: ContainerSpec { image: self.image.clone(), ..ContainerSpec::default() },
                restart: RestartPolicy { delay: Duration::ZERO, ..RestartPolicy::default() },
                ..TaskSpec::default()
            },
            mode: ServiceMode::Replicated { replicas: 1 },
            ..ServiceSpec::default()
        }
    }

    /// Until nothing of it is left: what is cleaned up is not the next round's affair.
    async fn remove(&self, client: &Client, name: String) -> Result<(), Failure> {
        let tasks = client.tasks(pb::ListTasksRequest { service: name.clone(), ..Default::default() }).await?;
        let tasks: BTreeSet<TaskId> = tasks.iter().map(|view| view.task.id).collect();
        let begun = Instant::now();
        answer(client.control().remove_service(pb::RemoveServiceRequest { reference: name, request_id: request_id() })).await?;
        while client.tasks(pb::ListTasksRequest::default()).await?.iter().any(|view| tasks.contains(&view.task.id)) {
            if begun.elapsed() > self.patience {
                return Err(failed(format!("tasks of a removed service are still there after {:?}", self.patience)));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// The replica that runs, when it is another one than `before`.
    async fn until_running(&self, client: &Client, name: &str, before: Option<TaskId>) -> Result<Running, Failure> {
        let waiting = async {
            let mut changes = answer(client.control().watch(pb::WatchRequest { service: name.to_owned() })).await?;
            while let Some(change) = changes.next().await {
                change.map_err(failed)?;
                if let Some(running) = running(client, name, before).await? {
                    return Ok(running);
                }
            }
            Err(failed("another manager leads now"))
        };
        let late = |_| Err(failed(format!("{name} does not run after {:?}", self.patience)));
        tokio::time::timeout(self.patience, waiting).await.unwrap_or_else(late)
    }
}

async fn running(client: &Client, name: &str, before: Option<TaskId>) -> Result<Option<Running>, Failure> {
    let tasks = client.tasks(pb::ListTasksRequest { service: name.to_owned(), ..Default::default() }).await?;
    let runs = tasks.into_iter().find(|view| view.task.status.state == TaskState::Running && Some(view.task.id) != before);
    Ok(runs.and_then(|view| Some(Running { task: view.task.id, pid: view.task.status.container.as_ref()?.pid? })))
}
