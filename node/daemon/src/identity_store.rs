//! The node's identity on disk: certificate, key, root and what it was told when it joined. Below the data directory, 0700, files 0600.
//!
//! A whole identity is there or none: it is written to a directory beside and renamed.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a node knows of itself and its cluster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredIdentity {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its key, PKCS #8 PEM.
    pub key: String,
    /// The cluster's root certificate, PEM.
    pub root: String,
    /// Under which address others reach it.
    pub advertise: SocketAddr,
    /// Its seat in the Raft group, when it has one.
    pub raft_id: Option<u64>,
    /// Managers to talk to, the newest known set.
    pub managers: Vec<String>,
}

/// Hides the key.
impl std::fmt::Debug for StoredIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredIdentity({})", self.advertise)
    }
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct IdentityStore {
    path: PathBuf,
}

impl IdentityStore {
    /// The store below a data directory.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("identity.json") }
    }

    /// The identity, if the node is in a cluster.
    ///
    /// # Errors
    /// When the file is there but cannot be read, is not an identity, or is open to others.
    pub fn load(&self) -> io::Result<Option<StoredIdentity>> {
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            let text = format!("{} holds the node's key but is open to others: chmod 600 it", self.path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let text = fs::read_to_string(&self.path)?;
        serde_json::from_str(&text).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Writes the identity, all or nothing.
    ///
    /// # Errors
    /// When the disk refuses; the old one stays then.
    pub fn save(&self, identity: &StoredIdentity) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(identity)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        fs::File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()
    }

    /// Forgets it: the node is in no cluster.
    ///
    /// # Errors
    /// When the file is there and stays.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Makes a directory for state, 0700, or refuses one that others may look into (failures H25).
///
/// # Errors
/// When it cannot be made, or is open to others.
pub fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    // An empty one was only made in advance, say by a package: it is ours to close.
    if fs::read_dir(path)?.next().is_none() {
        return fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    }
    let text = format!("{} is open to others (mode {:o}): chmod 700 it", path.display(), mode & 0o777);
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> StoredIdentity {
        StoredIdentity {
            certificate: "c".to_owned(),
            key: "k".to_owned(),
            root: "r".to_owned(),
            advertise: "10.0.0.1:4740".parse().unwrap(),
            raft_id: Some(3),
            managers: vec!["10.0.0.1:4740".to_owned()],
        }
    }

    #[test]
    fn an_identity_is_kept_private_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = IdentityStore::new(dir.path());
        assert_eq!(store.load().unwrap(), None);
        store.save(&identity()).unwrap();
        assert_eq!(store.load().unwrap(), Some(identity()));
        fs::set_permissions(dir.path().join("identity.json"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(store.load().unwrap_err().to_string().contains("chmod 600"));
        store.forget().unwrap();
        store.forget().unwrap();
        assert_eq!(store.load().unwrap(), None);
    }

    #[test]
    fn a_directory_with_state_that_is_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        private_directory(&state).unwrap();
        fs::write(state.join("x"), "").unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private_directory(&state).is_err());
    }
}
