//! `cluster init`: a new cluster with this host as its first manager.

use clap::Args;
use cluster_api::pb;
use cluster_types::Subnet;

use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;

/// Flags of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Name of the cluster, for people; made up when absent
    #[arg(long)]
    name: Option<String>,
    /// HOST[:PORT] under which other nodes reach this one; found when absent
    #[arg(long, value_name = "HOST[:PORT]", env = "CLUSTER_ADVERTISE_ADDR")]
    advertise_addr: Option<String>,
    /// Addresses of containers, services and nodes within the cluster, used nowhere around its hosts. Cannot change [default: 10.192.0.0/10]
    #[arg(long, alias = "default-addr-pool", value_name = "SUBNET")]
    addr_pool: Option<Subnet>,
    /// Prefix of the subnet of a network that asks for none. Cannot change [default: 8 more than the pool's: 18]
    #[arg(long, alias = "default-addr-pool-mask-length", value_name = "PREFIX", value_parser = clap::value_parser!(u8).range(8..=29))]
    network_size: Option<u8>,
    /// UDP port that carries the containers' traffic between hosts. Cannot change [default: 4789]
    #[arg(long, alias = "data-path-port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    data_port: Option<u16>,
}

impl Init {
    /// Makes the cluster; prints the node's id, and in words what comes next.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        // What is empty or zero the daemon fills in.
        let network = pb::NetworkPool {
            pool: self.addr_pool.map(|pool| pool.to_string()).unwrap_or_default(),
            network_prefix: self.network_size.unwrap_or_default().into(),
            data_port: self.data_port.unwrap_or_default().into(),
        };
        let request = pb::InitRequest {
            name: self.name.unwrap_or_default(),
            advertise_address: self.advertise_addr.unwrap_or_default(),
            network: Some(network),
        };
        let made = answer(client.local()?.init(request)).await?;
        print::words(&words(&made));
        print::data(&format!("{}\n", made.node_id))
    }
}

/// What the user needs next.
pub(crate) fn words(made: &pb::InitResponse) -> String {
    let pb::InitResponse { cluster_name, advertise_address, advertise_reason, worker_token, .. } = made;
    let reason = if advertise_reason.is_empty() { String::new() } else { format!(" ({advertise_reason})") };
    [
        format!("Cluster {cluster_name} is ready. This host is its first manager, at {advertise_address}{reason}."),
        String::new(),
        format!("Add a worker:   cluster join --token {worker_token} {advertise_address}"),
        "Add a manager:  cluster join-token manager".to_owned(),
        "Try it:         cluster service create --name web --replicas 3 IMAGE".to_owned(),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use cluster_types::NetworkPool;

    /// The help names the defaults, which are the daemon's.
    #[test]
    fn the_defaults_in_the_help_are_those_of_the_pool() {
        let mut command = crate::arguments::Arguments::command();
        let help = command.find_subcommand_mut("init").map(|init| init.render_help().to_string()).unwrap_or_default();
        let NetworkPool { pool, network_prefix, data_port } = NetworkPool::standard();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for default in [format!("[default: {pool}]"), format!(": {network_prefix}]"), format!("[default: {data_port}]")] {
            assert!(words.contains(&default), "{default} is not in the help:\n{help}");
        }
    }
}
