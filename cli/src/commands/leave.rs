//! `cluster leave`: this host is no node any more.

use clap::Args;
use cluster_api::pb;

use crate::client::{Client, answer};
use crate::failure::Failure;
use crate::print;

/// Flags of `leave`.
#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// Leave even if the cluster cannot be told, or loses its quorum by it
    #[arg(short, long)]
    force: bool,
}

impl Leave {
    /// Leaves.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        answer(client.local()?.leave(pb::LeaveRequest { force: self.force })).await?;
        print::words("ok  this host has left the cluster; its containers of the cluster are gone");
        Ok(())
    }
}
