//! What the embedded runtime is given by the daemon.

use std::any::Any;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use cluster_network::HostNetwork;

use crate::RuntimeError;
use crate::log::LogLimits;
use crate::spec::ImageSettings;

/// How the runtime is set up.
#[derive(Clone)]
pub struct EmbeddedConfig {
    /// Everything it keeps is below this directory, which only root may enter.
    pub data_dir: PathBuf,
    /// A short name (letters and digits) for what is global to the machine, so that several daemons on it do not meet.
    pub tag: String,
    /// Where images come from.
    pub images: Arc<dyn ImageSource>,
    /// Gives containers their network; without it only the modes `host` and `none` work.
    pub network: Option<HostNetwork>,
    /// The program that is started as shim.
    pub shim: ShimCommand,
    /// How much log of a container is kept.
    pub log: LogLimits,
}

/// How to start the shim: a program that calls [`crate::shim::shim_main`] before anything else when it is given these arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShimCommand {
    /// Its file.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Default for ShimCommand {
    /// This very program with the argument `shim`.
    fn default() -> Self {
        // The link leads to the file that is running, also when another has taken its name since.
        Self { program: PathBuf::from("/proc/self/exe"), args: vec!["shim".into()] }
    }
}

/// An image whose layers are unpacked on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// Names it for [`ImageSource::hold`].
    pub id: String,
    /// What it says of how to run it.
    pub settings: ImageSettings,
    /// Directories of its layers, lowest first. They stay while a container uses them.
    pub layers: Vec<PathBuf>,
}

/// While it lives, the image stays.
pub type ImageHold = Box<dyn Any + Send + Sync>;

/// Where the runtime finds images.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// The image of a reference, fetched where it is missing.
    ///
    /// # Errors
    /// [`RuntimeError::Image`] with the true cause.
    async fn ensure(&self, reference: &str) -> Result<LocalImage, RuntimeError>;

    /// Keeps an image on the host for as long as the result lives; none when it is not here.
    fn hold(&self, id: &str) -> Option<ImageHold>;
}
