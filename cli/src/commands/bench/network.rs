//! `bench network`: the data path of one host with thousands of services (performance.md P16). The work is done by the network crate, in
//! namespaces that end with it.

use std::time::Duration;

use clap::Args;
use cluster_network::bench::{Figures, Plan, measure};
use serde_json::{Value, json};

use super::failed;
use super::meter::{Meter, line, percentiles};
use super::start::machine_cpu;
use crate::failure::Failure;

/// Flags of `bench network`.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// Services
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    services: u32,
    /// Endpoints of each service
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    endpoints: u16,
    /// Connects of each kind
    #[arg(long, default_value_t = 2_000)]
    connections: usize,
}

impl Network {
    /// Measures.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let plan = Plan { services: self.services, endpoints: usize::from(self.endpoints), connections: self.connections };
        let (meter, busy) = (Meter::start(), machine_cpu());
        let measured = measure(plan).map_err(failed)?;
        let (reading, busy) = (meter.read(), machine_cpu() - busy);
        let mut figures = figures(measured);
        figures["services"] = json!(self.services);
        figures["endpoints"] = json!(self.endpoints);
        figures["connections"] = json!(self.connections);
        figures["seconds"] = json!(reading.seconds);
        figures["cpu_seconds"] = json!(reading.cpu_seconds);
        // That of `nft` counts, and so does that of everything else.
        figures["machine_cpu_seconds"] = json!(busy);
        figures["optimised"] = json!(!cfg!(debug_assertions));
        line("network", figures)
    }
}

fn figures(mut measured: Figures) -> Value {
    let (direct, direct_p99) = microseconds(&mut measured.direct);
    let (service, service_p99) = microseconds(&mut measured.service);
    let (published, published_p99) = microseconds(&mut measured.published);
    let (endpoint, endpoint_worst) = percentiles(&mut measured.endpoint);
    let (port, port_worst) = percentiles(&mut measured.port);
    json!({
        "load_ms": measured.load.as_secs_f64() * 1e3, "document_bytes": measured.document,
        "endpoint_change_ms": endpoint, "endpoint_change_worst_ms": endpoint_worst,
        "port_change_ms": port, "port_change_worst_ms": port_worst,
        "direct_us": direct, "direct_p99_us": direct_p99,
        "service_us": service, "service_p99_us": service_p99, "service_ratio": service / direct,
        "published_us": published, "published_p99_us": published_p99, "published_ratio": published / direct,
    })
}

/// Middle and 99th percentile.
fn microseconds(times: &mut [Duration]) -> (f64, f64) {
    let (median, worst) = percentiles(times);
    (median * 1e3, worst * 1e3)
}
