//! `cluster join`: this host becomes a node of a cluster.

use clap::Args;
use cluster_api::pb;
use cluster_types::JoinToken;
use futures::StreamExt;

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::print;

/// Flags of `join`.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// What `cluster join-token` printed
    #[arg(long, env = "CLUSTER_JOIN_TOKEN", hide_env_values = true)]
    token: String,
    /// HOST:PORT of a manager
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// HOST[:PORT] under which other nodes reach this one; found when absent
    #[arg(long, value_name = "HOST[:PORT]", env = "CLUSTER_ADVERTISE_ADDR")]
    advertise_addr: Option<String>,
}

impl Join {
    /// Joins; each check is a line.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        // Before anything is sent: a token that was cut off in copying is the usual mistake.
        self.token
            .parse::<JoinToken>()
            .map_err(|error| Failure::new("E0104", error.to_string()).exit(Exit::Denied).note("Nothing was changed."))?;
        let request =
            pb::JoinRequest { token: self.token, address: self.address, advertise_address: self.advertise_addr.unwrap_or_default() };
        let mut checks = client.local()?.join(request).await?.into_inner();
        while let Some(check) = checks.next().await {
            let check = check?;
            if !check.check.is_empty() {
                print::words(&line(&check));
            }
            if !check.node_id.is_empty() {
                print::words(&format!("ok  this host is a {} of the cluster now", role(check.role)));
                return print::data(&format!("{}\n", check.node_id));
            }
        }
        Err(Failure::new("E0503", "the daemon ended the join without a result")
            .exit(Exit::Unavailable)
            .fix("see why: journalctl -u cluster"))
    }
}

/// `  ok    reach 10.0.0.1:4740        3 ms`.
fn line(check: &pb::JoinResponse) -> String {
    let word = if check.skipped { "skip" } else { "ok" };
    format!("  {word:<5} {:<28} {}", check.check, check.result).trim_end().to_owned()
}

/// The word for a role's number.
pub(crate) fn role(number: i32) -> &'static str {
    match pb::Role::try_from(number) {
        Ok(pb::Role::ManagerNode) => "manager",
        Ok(pb::Role::WorkerNode) => "worker",
        Err(_) => "node",
    }
}
