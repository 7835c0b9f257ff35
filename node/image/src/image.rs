//! What the store knows of one image, and what a container needs of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cluster_types::HealthSpec;
use serde::{Deserialize, Serialize};

/// An image that is complete on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration, `sha256:…`: docker's image id.
    pub id: String,
    /// Its names in full, sorted: `docker.io/library/web:1.9`. Empty when the last name went to another image.
    pub names: Vec<String>,
    /// The digest of its manifest, `sha256:…`. For a docker archive, which has none, that of the manifest made at import.
    pub digest: String,
    /// The digest of the index (manifest list) that it was chosen from, when it was.
    pub index: Option<String>,
    /// When it was built, RFC 3339, as the image itself says.
    pub created: Option<String>,
    /// All its layers unpacked, in bytes; layers that it shares with other images are counted too.
    pub size: u64,
    /// How to run it.
    pub config: ImageConfig,
    /// Its unpacked layers, lowest first, each once. Read-only: other images and containers share them.
    pub layers: Vec<PathBuf>,
}

/// How an image wants to be run. Everything here was written by the image's author: paths and names are to be resolved inside the
/// container only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Fixed front of the command line.
    pub entrypoint: Vec<String>,
    /// Command, or the default arguments of the entrypoint.
    pub cmd: Vec<String>,
    /// `NAME=value` each.
    pub env: Vec<String>,
    /// Working directory; empty is `/`.
    pub workdir: String,
    /// `user`, `uid`, `user:group` or `uid:gid`; empty is root.
    pub user: String,
    /// Signal that asks it to stop, `SIGTERM` or a number; none is SIGTERM.
    pub stop_signal: Option<String>,
    /// `80/tcp` each, sorted.
    pub exposed_ports: Vec<String>,
    /// Paths that want a volume, sorted.
    pub volumes: Vec<String>,
    /// The author's labels.
    pub labels: BTreeMap<String, String>,
    /// HEALTHCHECK as it stands in the configuration (docker's `Test`, `Interval` in nanoseconds, and so on).
    pub healthcheck: Option<serde_json::Value>,
}

impl ImageConfig {
    /// The check that the image's author wants; none where there is none, or one that nobody can read.
    #[must_use]
    pub fn health(&self) -> Option<HealthSpec> {
        crate::healthcheck::read(self.healthcheck.as_ref()?)
    }
}
