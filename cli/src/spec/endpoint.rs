//! Flags of how clients reach a service. The same for `create` and `update`.

use clap::Args;
use cluster_types::{EndpointAffinity, EndpointMode, PublishMode, ServiceSpec};

use super::bounds::set;

/// How clients reach the service.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reach {
    /// What the service's name stands for: vip (one address, spread over the tasks) or dnsrr (the tasks' addresses)
    #[arg(long, value_name = "MODE", value_parser = mode)]
    endpoint_mode: Option<EndpointMode>,
    /// Which task a client's next connection goes to: none (the next in turn) or client-ip (the same one)
    #[arg(long, value_name = "AFFINITY", value_parser = affinity)]
    endpoint_affinity: Option<EndpointAffinity>,
}

impl Reach {
    /// Sets what was given. The spec's ports are complete.
    pub(crate) fn apply(&self, spec: &mut ServiceSpec) -> Result<(), String> {
        set(&mut spec.endpoint.mode, self.endpoint_mode);
        set(&mut spec.endpoint.affinity, self.endpoint_affinity);
        let ingress = spec.ports.iter().find(|port| port.mode == PublishMode::Ingress);
        match (spec.endpoint.mode, ingress) {
            (EndpointMode::Dnsrr, Some(port)) => Err(format!(
                "the port {} is published in ingress mode, which needs --endpoint-mode vip: with dnsrr use mode=host",
                port.target
            )),
            _ => Ok(()),
        }
    }
}

fn mode(text: &str) -> Result<EndpointMode, String> {
    match text {
        "vip" => Ok(EndpointMode::Vip),
        "dnsrr" => Ok(EndpointMode::Dnsrr),
        other => Err(format!("`{other}` is no endpoint mode: use vip or dnsrr")),
    }
}

fn affinity(text: &str) -> Result<EndpointAffinity, String> {
    match text {
        "none" => Ok(EndpointAffinity::None),
        "client-ip" => Ok(EndpointAffinity::ClientIp),
        other => Err(format!("`{other}` is no endpoint affinity: use none or client-ip")),
    }
}
