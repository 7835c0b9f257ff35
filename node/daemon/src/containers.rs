//! The runtime that the configuration asks for, with its images and its network.

use std::sync::Arc;

use cluster_image::{ImageStore, StoreConfig};
use cluster_network::{HostNetwork, NetworkConfig};
use cluster_runtime::{EmbeddedConfig, EmbeddedRuntime, FakeRuntime, LogLimits, Runtime, ShimCommand};

use crate::config::{DaemonConfig, RuntimeKind};
use crate::error::DaemonError;

/// Opens the runtime; the store of images only with real containers.
///
/// # Errors
/// When the kernel, the disk or `nft` cannot be used.
pub(crate) async fn open(config: &DaemonConfig) -> Result<(Arc<dyn Runtime>, Option<ImageStore>), DaemonError> {
    match config.runtime {
        RuntimeKind::Fake => Ok((Arc::new(FakeRuntime::default()), None)),
        RuntimeKind::Embedded => embedded(config).await,
    }
}

async fn embedded(config: &DaemonConfig) -> Result<(Arc<dyn Runtime>, Option<ImageStore>), DaemonError> {
    let store = StoreConfig { plain_http: config.insecure_registries.clone(), ..StoreConfig::default() };
    let images = ImageStore::open_with(&config.data_dir.join("images"), store).map_err(DaemonError::host("opening the image store"))?;
    let tag = tag(config)?;
    let network = NetworkConfig { tag: tag.clone(), subnet: config.container_subnet, dir: config.data_dir.join("network") };
    let network = HostNetwork::open(network).await.map_err(DaemonError::host("setting the containers' network up"))?;
    let settings = EmbeddedConfig {
        data_dir: config.data_dir.join("runtime"),
        tag,
        images: Arc::new(images.clone()),
        network: Some(network),
        shim: ShimCommand::default(),
        log: LogLimits::default(),
    };
    let runtime = EmbeddedRuntime::open(settings).await.map_err(DaemonError::host("opening the runtime"))?;
    Ok((Arc::new(runtime), Some(images)))
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
