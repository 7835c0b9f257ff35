//! The last view on disk, so that a daemon that starts again keeps its containers' traffic right before it has spoken with a manager.
//! Not synced: after a crash of the machine no container runs that would need it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cluster_types::{Version, ViewItem, ViewItems};
use serde::{Deserialize, Serialize};

use crate::NetworkError;

/// The file.
#[derive(Debug)]
pub(crate) struct SavedView {
    path: PathBuf,
}

/// What it holds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The version of the view.
    pub(crate) version: Version,
    /// The host's own underlay address.
    pub(crate) underlay: Option<Ipv4Addr>,
    /// The items of the view.
    pub(crate) items: Vec<Arc<ViewItem>>,
}

impl SavedView {
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self { path: dir.join("view") }
    }

    /// What was saved; nothing when there is none or it cannot be read.
    pub(crate) fn load(&self) -> Saved {
        fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(crate) fn save(&self, version: Version, underlay: Option<Ipv4Addr>, view: &ViewItems) -> Result<(), NetworkError> {
        let step = "saving the network view";
        let saved = Saved { version, underlay, items: view.values().cloned().collect() };
        let bytes = serde_json::to_vec(&saved).map_err(NetworkError::kernel(step))?;
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &self.path)).map_err(NetworkError::file(step))
    }

    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Saved {
    pub(crate) fn view(&self) -> ViewItems {
        self.items.iter().map(|item| (item.key(), Arc::clone(item))).collect()
    }
}
