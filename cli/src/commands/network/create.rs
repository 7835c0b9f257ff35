//! `cluster network create`.

use clap::Args;
use cluster_api::pb;
use cluster_types::{NetworkSpec, Subnet};

use crate::client::{Client, answer, request_id};
use crate::failure::Failure;
use crate::model::NetworkView;
use crate::print;
use crate::spec::refused::{OfNetworks, Refused};
use crate::spec::value;

/// Flags of `network create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the network: a-z, 0-9 and -
    #[arg(value_name = "NETWORK")]
    name: String,
    /// How containers are connected: overlay, which spans all nodes, is the only one
    #[arg(short, long, value_name = "DRIVER", value_parser = driver, default_value = "overlay")]
    driver: String,
    /// Its addresses, such as 10.210.0.0/20; chosen from the cluster's pool when absent
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<Subnet>,
    /// Lets containers take part that belong to no service
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    attachable: Option<bool>,
    /// Has no way out of the network, and no published ports
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    internal: Option<bool>,
    /// Label of the network
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
    #[command(flatten)]
    refused: Refused<OfNetworks>,
}

/// `--driver`.
fn driver(text: &str) -> Result<String, String> {
    match text {
        "overlay" => Ok(text.to_owned()),
        "bridge" | "host" | "ipvlan" | "macvlan" | "none" => Err(format!("the driver `{text}` is not supported: use overlay")),
        other => Err(format!("`{other}` is no driver of networks: use overlay")),
    }
}

impl Create {
    /// Fails when a flag was given that is not honoured yet.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.refused.check()
    }

    /// Creates it and prints its id.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let spec = NetworkSpec {
            name: self.name,
            labels: self.label.into_iter().collect(),
            subnet: self.subnet,
            attachable: self.attachable.unwrap_or_default(),
            internal: self.internal.unwrap_or_default(),
        };
        let request = pb::CreateNetworkRequest { spec: Some((&spec).into()), request_id: request_id() };
        let made = answer(client.control().create_network(request)).await?.network;
        let made = NetworkView::try_from(made.ok_or_else(|| cluster_api::FieldError::new("network", "is missing"))?)?;
        print::data(&format!("{}\n", made.network.id))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn refusal(line: &[&str]) -> Option<String> {
        match Line::try_parse_from(std::iter::once(&"create").chain(line)) {
            Ok(line) => line.create.check().err().map(|failure| failure.what),
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn what_docker_has_beyond_ours_is_refused_by_name() {
        assert_eq!(
            refusal(&["-d", "overlay", "--subnet", "10.210.0.0/20", "--attachable", "--internal=false", "--label", "a=b", "back"]),
            None
        );
        for (line, why) in [
            (&["--driver", "bridge", "back"][..], "the driver `bridge` is not supported: use overlay"),
            (&["-d", "overly", "back"], "`overly` is no driver of networks"),
            (&["--gateway", "10.0.0.1", "back"], "--gateway: a gateway of one's own choice is not supported yet"),
            (&["--ipv6", "back"], "--ipv6: IPv6 in networks is not supported yet"),
            (&["-o", "encrypted", "back"], "--opt: options of networks, such as encrypted, are not supported yet"),
            (&["--subnet", "10.210.0.1/20", "back"], "`10.210.0.1/20` is no subnet"),
            (&["--subnet", "10.1.0.0/20", "--subnet", "10.2.0.0/20", "back"], "cannot be used multiple times"),
            (&[], "NETWORK"),
        ] {
            let said = refusal(line).unwrap_or_default();
            assert!(said.contains(why), "{line:?}: {said}");
        }
    }
}
