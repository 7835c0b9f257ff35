//! `bench agents`: tasks durably placed, dispatched, run by fake agents over the real protocol, and acknowledged (performance.md P5).

use std::path::Path;
use std::time::Duration;

use clap::Args;
use cluster_api::pb;
use cluster_types::{ContainerSpec, Placement, ServiceMode, ServiceSpec, TaskSpec};
use serde_json::json;

use super::failed;
use super::fleet::Fleet;
use super::meter::{Meter, line};
use crate::client::{Client, answer, request_id};
use crate::connect::Host;
use crate::failure::Failure;
use crate::print;

/// Flags of `bench agents`.
#[derive(Debug, Args)]
pub(crate) struct Agents {
    /// Fake nodes that join
    #[arg(long, default_value_t = 1_000)]
    nodes: usize,
    /// Tasks of the service that they run
    #[arg(long, default_value_t = 10_000)]
    tasks: u64,
    /// Longest time for all tasks
    #[arg(long, value_name = "DURATION", value_parser = crate::spec::value::duration, default_value = "2m")]
    patience: Duration,
}

impl Agents {
    /// Measures from the request to the last acknowledgement.
    pub(crate) async fn run(self, host: &Host, identity: Option<&Path>) -> Result<(), Failure> {
        let client = Client::open(host, identity).await?;
        let label = request_id()[..8].to_owned();
        let joining = Meter::start();
        let fleet = Fleet::join(&client, self.nodes, &label).await?;
        let joined = joining.read();
        print::words(&format!("{} fake nodes are ready after {:.1} s", self.nodes, joined.seconds));
        let meter = Meter::start();
        let measured = self.measure(&client, &fleet, &label).await;
        let reading = meter.read();
        fleet.leave().await?;
        measured?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = self.tasks as f64 / reading.seconds;
        let figures = json!({
            "nodes": self.nodes, "tasks": self.tasks, "seconds": reading.seconds, "tasks_per_second": rate.round(),
            "fleet_cpu_seconds": reading.cpu_seconds, "join_seconds": joined.seconds,
        });
        line("agents", figures)
    }

    async fn measure(&self, client: &Client, fleet: &Fleet, label: &str) -> Result<(), Failure> {
        let constraint = format!("node.labels.bench=={label}");
        let spec = ServiceSpec {
            name: format!("bench-{label}"),
            task: TaskSpec {
                container: ContainerSpec { image: "bench".to_owned(), ..ContainerSpec::default() },
                placement: Placement { constraints: vec![constraint.parse().map_err(failed)?], ..Placement::default() },
                ..TaskSpec::default()
            },
            mode: ServiceMode::Replicated { replicas: self.tasks },
            ..ServiceSpec::default()
        };
        let request = pb::CreateServiceRequest { spec: Some((&spec).into()), request_id: request_id(), ..Default::default() };
        answer(client.control().create_service(request)).await?;
        let reached = fleet.agents.acknowledged_tasks(self.tasks, self.patience).await;
        let request = pb::RemoveServiceRequest { reference: spec.name, request_id: request_id() };
        answer(client.control().remove_service(request)).await?;
        reached.map(|_| ()).map_err(failed)
    }
}
