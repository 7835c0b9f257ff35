//! `cluster init`: a new cluster with this host as its first manager.

use clap::Args;
use cluster_api::pb;

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
}

impl Init {
    /// Makes the cluster; prints the node's id, and in words what comes next.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request = pb::InitRequest { name: self.name.unwrap_or_default(), advertise_address: self.advertise_addr.unwrap_or_default() };
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
