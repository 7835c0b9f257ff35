//! Where it is measured: a namespace as the host, with containers attached to its network, and one as the world outside.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use cluster_types::{DEFAULT_NETWORK, TaskAddress, TaskId, Version};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rtnetlink::LinkUnspec;

use super::services;
use crate::fabric::kernel::link_index;
use crate::{HostNetwork, NetworkConfig, NetworkError, link, namespace};

/// The host, as others reach it.
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// A machine beside it.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const INTERFACE: &str = "eth0";
const MTU: u32 = 1500;

/// What is there.
pub(super) struct Stage {
    pub(super) network: HostNetwork,
    /// Namespaces of the containers that answer.
    pub(super) backends: Vec<PathBuf>,
    /// Namespace of the container that asks.
    pub(super) client: PathBuf,
    /// Namespace of the machine beside the host.
    pub(super) outside: PathBuf,
}

/// Takes the calling thread into new namespaces, with a directory for temporary files that nobody else sees.
pub(super) fn leave_the_machine() -> Result<(), NetworkError> {
    let (step, none) = ("making namespaces (this needs root)", None::<&str>);
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).map_err(NetworkError::kernel(step))?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(NetworkError::kernel(step))?;
    mount(Some("tmpfs"), &std::env::temp_dir(), Some("tmpfs"), MsFlags::empty(), none).map_err(NetworkError::kernel(step))
}

impl Stage {
    /// Makes it, in the namespaces of the calling thread.
    pub(super) async fn open() -> Result<Self, NetworkError> {
        let dir = std::env::temp_dir();
        let outside = dir.join("outside");
        make_outside(&outside).await?;
        let network = HostNetwork::open(NetworkConfig { tag: "bench".to_owned(), dir: dir.join("network") }).await?;
        network.set_underlay(HOST);
        network.apply(&services::bare(), Version(1)).await?;
        let mut backends = Vec::new();
        for number in 0..services::BACKENDS {
            backends.push(attach(&network, number).await?);
        }
        let client = attach(&network, services::BACKENDS).await?;
        Ok(Self { network, backends, client, outside })
    }
}

async fn attach(network: &HostNetwork, number: u32) -> Result<PathBuf, NetworkError> {
    let has = TaskAddress { network: DEFAULT_NETWORK, address: services::container(number) };
    Ok(network.attach(TaskId::from_bits(u128::from(number) + 1), &[has], &[]).await?.netns)
}

/// A machine that has the host as its router.
async fn make_outside(path: &std::path::Path) -> Result<(), NetworkError> {
    let step = "making the machine beside the host";
    let host = std::fs::File::open("/proc/thread-self/ns/net").map_err(NetworkError::file(step))?;
    let inside = namespace::create(path.to_owned()).await?;
    link::plug(&inside, INTERFACE, MTU, host.as_raw_fd()).await?;
    link::give(&inside, MTU, &[TaskAddress { network: DEFAULT_NETWORK, address: OUTSIDE }], &[]).await?;
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::file(step))?;
    tokio::spawn(connection);
    for name in ["lo", INTERFACE] {
        let up = LinkUnspec::new_with_name(name).up().build();
        handle.link().set(up).execute().await.map_err(NetworkError::kernel(step))?;
    }
    let index = link_index(&handle, INTERFACE).await?;
    handle.address().add(index, HOST.into(), 24).execute().await.map_err(NetworkError::kernel(step))
}
