//! `bench commit`: writes that the cluster acknowledges through the control API. Each writer changes a label of a service of its own that
//! has no tasks, so that writers do not meet and nothing runs.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use cluster_api::pb;
use cluster_types::{ContainerSpec, ServiceMode, ServiceSpec, TaskSpec};
use serde_json::json;

use super::meter::{Meter, line, percentiles};
use crate::client::{Client, answer, request_id};
use crate::connect::Host;
use crate::failure::Failure;

/// The label that is written.
const LABEL: &str = "bench";

/// Flags of `bench commit`.
#[derive(Debug, Args)]
pub(crate) struct Commit {
    /// Connections
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// Writers on each connection
    #[arg(long, default_value_t = 10)]
    streams: usize,
    /// How long
    #[arg(long, value_name = "DURATION", value_parser = crate::spec::value::duration, default_value = "5s")]
    time: Duration,
}

impl Commit {
    /// Measures.
    pub(crate) async fn run(self, host: &Host, identity: Option<&Path>) -> Result<(), Failure> {
        let mut writers = Vec::new();
        for _ in 0..self.connections {
            let client = Client::open(host, identity).await?;
            for _ in 0..self.streams {
                writers.push(Writer::new(client.clone()).await?);
            }
        }
        let meter = Meter::start();
        let end = Instant::now() + self.time;
        let writing: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(writer.write_until(end))).collect();
        let mut outcomes = Vec::new();
        for writer in writing {
            outcomes.push(writer.await.map_err(super::failed)?);
        }
        let reading = meter.read();
        let mut times = Vec::new();
        for (writer, outcome) in outcomes {
            writer.remove().await?;
            times.extend(outcome?);
        }
        let (median, worst) = percentiles(&mut times);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = times.len() as f64 / reading.seconds;
        let figures = json!({
            "connections": self.connections, "streams": self.streams, "writes": times.len(), "seconds": reading.seconds,
            "writes_per_second": rate.round(), "median_ms": median, "p99_ms": worst, "client_cpu_seconds": reading.cpu_seconds,
        });
        line("commit", figures)
    }
}

/// Writes one thing again and again.
pub(super) struct Writer {
    client: Client,
    service: pb::Service,
}

impl Writer {
    /// Makes the service that it writes.
    pub(super) async fn new(client: Client) -> Result<Self, Failure> {
        let request_id = request_id();
        let container = ContainerSpec { image: "bench".to_owned(), ..ContainerSpec::default() };
        let spec = ServiceSpec {
            name: format!("bench-{request_id}"),
            task: TaskSpec { container, ..TaskSpec::default() },
            mode: ServiceMode::Replicated { replicas: 0 },
            ..ServiceSpec::default()
        };
        let request = pb::CreateServiceRequest { spec: Some((&spec).into()), request_id, ..Default::default() };
        let service = answer(client.control().create_service(request)).await?.service.unwrap_or_default();
        Ok(Self { client, service })
    }

    /// One write, whatever version the service has: only this writer changes it.
    pub(super) async fn write(&mut self) -> Result<(), Failure> {
        let request_id = request_id();
        let mut spec = self.service.spec.clone().unwrap_or_default();
        spec.labels.insert(LABEL.to_owned(), request_id.clone());
        let request =
            pb::UpdateServiceRequest { reference: self.service.id.clone(), expect: 0, spec: Some(spec), request_id, ..Default::default() };
        answer(self.client.control().update_service(request)).await.map(|_| ())
    }

    async fn write_until(mut self, end: Instant) -> (Self, Result<Vec<Duration>, Failure>) {
        let mut times = Vec::new();
        while Instant::now() < end {
            let begun = Instant::now();
            if let Err(failure) = self.write().await {
                return (self, Err(failure));
            }
            times.push(begun.elapsed());
        }
        (self, Ok(times))
    }

    /// Takes the service away again.
    pub(super) async fn remove(self) -> Result<(), Failure> {
        let request = pb::RemoveServiceRequest { reference: self.service.id, request_id: request_id() };
        answer(self.client.control().remove_service(request)).await.map(|_| ())
    }
}
