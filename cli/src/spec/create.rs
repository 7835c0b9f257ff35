//! The flags of `service create` and the spec that they make.

use std::path::PathBuf;

use clap::Args;
use cluster_types::{ContainerSpec, Mount, ServiceSpec, TaskSpec, Ulimit};

use super::job::{Mode, mode};
use super::network::{NetworkFlag, NetworkIds, attach, network};
use super::placement::Places;
use super::publish::{Publish, publish};
use super::shared::Shared;
use super::{env, mount, value};
use crate::failure::Failure;

/// Flags of `service create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CreateFlags {
    /// Name of the service; made up from the image when absent
    #[arg(long)]
    name: Option<String>,
    /// Number of tasks; of a job: how many complete
    #[arg(long, value_name = "N")]
    replicas: Option<u64>,
    /// replicated (a number of tasks), global (one on each node), or tasks that are to end: replicated-job or global-job
    #[arg(long, value_name = "MODE", value_parser = mode, default_value = "replicated", hide_default_value = true)]
    mode: Mode,
    /// Publish a port on every node: [PUBLISHED:]TARGET[/udp], ranges too; on the tasks' nodes: mode=host,target=80,published=8080
    #[arg(short, long, value_name = "PORT", value_parser = publish)]
    publish: Vec<Publish>,
    /// Environment variable; KEY alone takes the value from here
    #[arg(short, long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// File of environment variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Mount, such as type=bind,source=/data,target=/data,readonly
    #[arg(long, value_name = "MOUNT", value_parser = mount::mount)]
    mount: Vec<Mount>,
    /// Network: its name, or name=back,alias=db; the default one when absent. host and none: no network of the cluster
    #[arg(long, alias = "net", value_name = "NETWORK", value_parser = network)]
    network: Vec<NetworkFlag>,
    /// Label of the service
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = value::pair)]
    label: Vec<(String, String)>,
    /// Label of its containers
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    container_label: Vec<(String, String)>,
    /// Line of /etc/hosts
    #[arg(long = "host", id = "extra_host", value_name = "NAME:ADDRESS", value_parser = value::host)]
    host: Vec<String>,
    /// Name server
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Supplementary group
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Capability beyond the default set
    #[arg(long, value_name = "CAPABILITY", value_parser = value::capability)]
    cap_add: Vec<String>,
    /// Capability taken from the default set
    #[arg(long, value_name = "CAPABILITY", value_parser = value::capability)]
    cap_drop: Vec<String>,
    /// Kernel parameter
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    sysctl: Vec<(String, String)>,
    /// Limit of the process, such as nofile=1024:4096
    #[arg(long, value_name = "LIMIT", value_parser = value::ulimit)]
    ulimit: Vec<Ulimit>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    shared: Shared,
    /// Image, then the arguments of its command
    #[arg(value_name = "IMAGE", required = true, num_args = 1.., trailing_var_arg = true)]
    image: Vec<String>,
}

impl CreateFlags {
    /// Fails when a flag was given that is not honoured yet.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.shared.check()
    }

    /// The networks that are named.
    pub(crate) fn networks(&self) -> impl Iterator<Item = &str> {
        self.network.iter().filter_map(NetworkFlag::reference)
    }

    /// The spec that the flags make; `made_up` ends the name where none was given.
    pub(crate) fn spec(self, made_up: &str, networks: &NetworkIds) -> Result<ServiceSpec, Failure> {
        let (image, args) = self.image.split_first().ok_or_else(|| Failure::usage("give an image"))?;
        let mode = self.mode.with(self.replicas).map_err(Failure::usage)?;
        let (placement, generic) = self.places.into_parts();
        let container = ContainerSpec {
            image: image.clone(),
            args: args.to_vec(),
            env: env::variables(&self.env_file, &self.env)?,
            groups: self.group,
            labels: self.container_label.into_iter().collect(),
            mounts: self.mount,
            hosts: self.host,
            dns: self.dns,
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            ulimits: self.ulimit,
            sysctls: self.sysctl.into_iter().collect(),
            ..ContainerSpec::default()
        };
        let mut spec = ServiceSpec {
            name: self.name.unwrap_or_else(|| name_from(image, made_up)),
            labels: self.label.into_iter().collect(),
            task: TaskSpec { container, placement, generic, ..TaskSpec::default() },
            mode,
            ports: self.publish.into_iter().flat_map(|publish| publish.0).collect(),
            ..ServiceSpec::default()
        };
        attach(&mut spec.task, &self.network, networks)?;
        self.shared.apply(&mut spec).map_err(Failure::usage)?;
        Ok(spec)
    }
}

/// `nginx-x7k2` from `docker.io/library/nginx:1.27`.
fn name_from(image: &str, made_up: &str) -> String {
    let last = image.split('@').next().unwrap_or(image).rsplit('/').next().unwrap_or(image);
    let word: String = last.split(':').next().unwrap_or(last).chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let word = word.trim_matches('-').to_ascii_lowercase();
    if word.is_empty() { format!("service-{made_up}") } else { format!("{word}-{made_up}") }
}
