//! `cluster join-token`: what another host needs to join.

use clap::{Args, ValueEnum};
use cluster_api::pb;

use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;

/// Flags of `join-token`.
#[derive(Debug, Args)]
pub(crate) struct JoinToken {
    /// The role that the token gives
    #[arg(value_enum)]
    role: Role,
    /// Make a new token; the old one no longer lets anyone in
    #[arg(long)]
    rotate: bool,
    /// Only the token
    #[arg(short, long)]
    quiet: bool,
}

/// The role that a token gives.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Runs containers
    Worker,
    /// Also keeps the cluster's state
    Manager,
}

impl JoinToken {
    /// Prints the token, and in words the whole command.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (role, noun) = match self.role {
            Role::Worker => (pb::Role::WorkerNode, "worker"),
            Role::Manager => (pb::Role::ManagerNode, "manager"),
        };
        let request = pb::GetJoinTokenRequest { role: role.into(), rotate: self.rotate };
        let found = answer(client.control().get_join_token(request)).await?;
        if self.quiet {
            return print::data(&format!("{}\n", found.token));
        }
        if self.rotate {
            print::words(&format!("The {noun} token was replaced: the old one no longer lets anyone in."));
        }
        let address = found.addresses.first().map_or("HOST:4740", String::as_str);
        print::words(&format!("To add a {noun}, run this there (its daemon must run):"));
        print::data(&format!("cluster join --token {} {address}\n", found.token))
    }
}
