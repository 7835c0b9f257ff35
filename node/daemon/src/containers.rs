//! The runtime that the configuration asks for, with its images, its network and its name service.

use std::sync::Arc;

use cluster_agent::{DataPath, NoDataPath};
use cluster_image::{ImageStore, StoreConfig};
use cluster_network::{HostNetwork, NetworkConfig};
use cluster_runtime::{EmbeddedConfig, EmbeddedRuntime, FakeRuntime, LogLimits, Runtime, ShimCommand};

use crate::config::{DaemonConfig, RuntimeKind};
use crate::data_path::HostDataPath;
use crate::error::DaemonError;

/// What runs containers here, and what they need.
pub(crate) struct Containers {
    pub(crate) runtime: Arc<dyn Runtime>,
    /// None with the fake runtime.
    pub(crate) images: Option<ImageStore>,
    /// None with the fake runtime.
    pub(crate) network: Option<HostNetwork>,
    /// Carries the network views out.
    pub(crate) data_path: Arc<dyn DataPath>,
}

/// Opens the runtime; with real containers also images, network and name service.
///
/// # Errors
/// When the kernel, the disk or `nft` cannot be used.
pub(crate) async fn open(config: &DaemonConfig) -> Result<Containers, DaemonError> {
    match config.runtime {
        RuntimeKind::Fake => {
            let runtime = Arc::new(FakeRuntime::default());
            Ok(Containers { runtime, images: None, network: None, data_path: Arc::new(NoDataPath) })
        }
        RuntimeKind::Embedded => embedded(config).await,
    }
}

async fn embedded(config: &DaemonConfig) -> Result<Containers, DaemonError> {
    let store = StoreConfig { plain_http: config.insecure_registries.clone(), ..StoreConfig::default() };
    let images = ImageStore::open_with(&config.data_dir.join("images"), store).map_err(DaemonError::host("opening the image store"))?;
    let tag = tag(config)?;
    let network = NetworkConfig { tag: tag.clone(), dir: config.data_dir.join("network") };
    let network = HostNetwork::open(network).await.map_err(DaemonError::host("setting the containers' network up"))?;
    let settings = EmbeddedConfig {
        data_dir: config.data_dir.join("runtime"),
        tag,
        images: Arc::new(images.clone()),
        network: Some(network.clone()),
        shim: ShimCommand::default(),
        log: LogLimits::default(),
    };
    let runtime = EmbeddedRuntime::open(settings).await.map_err(DaemonError::host("opening the runtime"))?;
    let data_path = Arc::new(HostDataPath::start(network.clone()));
    Ok(Containers { runtime: Arc::new(runtime), images: Some(images), network: Some(network), data_path })
}

/// A short name that tells this daemon's interfaces, tables and control groups from those of others on the machine. Made once.
fn tag(config: &DaemonConfig) -> Result<String, DaemonError> {
    let path = config.data_dir.join("tag");
    if let Ok(tag) = std::fs::read_to_string(&path) {
        return Ok(tag);
    }
    let tag = format!("{:05x}", rand::random::<u32>() >> 12);
    std::fs::write(&path, &tag).map_err(DaemonError::host("naming this daemon"))?;
    Ok(tag)
}
