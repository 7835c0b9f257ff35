//! The flags of `service update`.

use clap::Args;
use cluster_types::{Mount, Ulimit};

use super::network::{NetworkFlag, network};
use super::placement::Replaces;
use super::publish::{Publish, Unpublish, publish, unpublish};
use super::shared::Shared;
use super::{mount, value};
use crate::failure::Failure;

/// Flags of `service update`. `-add` replaces what has the same key.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct UpdateFlags {
    /// Image
    #[arg(long)]
    pub(super) image: Option<String>,
    /// Arguments of the command (words are split as a shell does)
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(super) args: Option<String>,
    /// Number of tasks; of a job: how many complete
    #[arg(long, value_name = "N")]
    pub(super) replicas: Option<u64>,
    /// Replace the tasks even if nothing else changed
    #[arg(long)]
    pub(super) force: bool,
    /// Go back to the spec before, as service rollback does; no other change goes with it
    #[arg(long)]
    pub(super) rollback: bool,
    /// Publish another port
    #[arg(long, value_name = "PORT", value_parser = publish)]
    pub(super) publish_add: Vec<Publish>,
    /// Stop publishing the container's port
    #[arg(long, value_name = "TARGET", value_parser = unpublish)]
    pub(super) publish_rm: Vec<Unpublish>,
    /// Take part in another network: its name, or name=back,alias=db
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    pub(super) network_add: Vec<NetworkFlag>,
    /// Leave a network
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    pub(super) network_rm: Vec<NetworkFlag>,
    /// Set an environment variable
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) env_add: Vec<String>,
    /// Take an environment variable away
    #[arg(long, value_name = "KEY")]
    pub(super) env_rm: Vec<String>,
    /// Add a mount
    #[arg(long, value_name = "MOUNT", value_parser = mount::mount)]
    pub(super) mount_add: Vec<Mount>,
    /// Take the mount at this path of the container away
    #[arg(long, value_name = "TARGET")]
    pub(super) mount_rm: Vec<String>,
    /// Set a label of the service
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub(super) label_add: Vec<(String, String)>,
    /// Take a label of the service away
    #[arg(long, value_name = "KEY")]
    pub(super) label_rm: Vec<String>,
    /// Set a label of the containers
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub(super) container_label_add: Vec<(String, String)>,
    /// Take a label of the containers away
    #[arg(long, value_name = "KEY")]
    pub(super) container_label_rm: Vec<String>,
    /// Add a line of /etc/hosts
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = value::host)]
    pub(super) host_add: Vec<String>,
    /// Take a line of /etc/hosts away
    #[arg(long, value_name = "NAME[:ADDRESS]")]
    pub(super) host_rm: Vec<String>,
    /// Add a name server
    #[arg(long, value_name = "ADDRESS")]
    pub(super) dns_add: Vec<String>,
    /// Take a name server away
    #[arg(long, value_name = "ADDRESS")]
    pub(super) dns_rm: Vec<String>,
    /// Add a supplementary group
    #[arg(long, value_name = "GROUP")]
    pub(super) group_add: Vec<String>,
    /// Take a supplementary group away
    #[arg(long, value_name = "GROUP")]
    pub(super) group_rm: Vec<String>,
    /// Add a capability beyond the default set
    #[arg(long, value_name = "CAPABILITY", value_parser = value::capability)]
    pub(super) cap_add: Vec<String>,
    /// Take a capability from the default set
    #[arg(long, value_name = "CAPABILITY", value_parser = value::capability)]
    pub(super) cap_drop: Vec<String>,
    /// Set a kernel parameter
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub(super) sysctl_add: Vec<(String, String)>,
    /// Take a kernel parameter away
    #[arg(long, value_name = "KEY")]
    pub(super) sysctl_rm: Vec<String>,
    /// Set a limit of the process
    #[arg(long, value_name = "LIMIT", value_parser = value::ulimit)]
    pub(super) ulimit_add: Vec<Ulimit>,
    /// Take a limit of the process away
    #[arg(long, value_name = "NAME")]
    pub(super) ulimit_rm: Vec<String>,
    #[command(flatten)]
    pub(super) places: Replaces,
    #[command(flatten)]
    pub(super) shared: Shared,
}

impl UpdateFlags {
    /// Fails when a flag was given that is not honoured yet.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.shared.check()
    }

    /// Whether the service goes back to the spec before.
    pub(crate) fn rolls_back(&self) -> bool {
        self.rollback
    }

    /// The networks that are named.
    pub(crate) fn networks(&self) -> impl Iterator<Item = &str> {
        self.network_add.iter().chain(&self.network_rm).filter_map(NetworkFlag::reference)
    }
}
