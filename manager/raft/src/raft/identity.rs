//! Whose directory it is. Written before anything else, checked at every start: a Raft id that is used with another log can vote twice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::config::RaftConfig;
use super::error::StartError;

const FILE: &str = "identity";

/// A manager's identity in Raft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);

impl Identity {
    /// The identity that a configuration means.
    #[must_use]
    pub fn of(config: &RaftConfig) -> Self {
        Self(format!("manager {} of cluster {}", config.raft_id, config.cluster_id))
    }

    /// Checks that the directory is this identity's, or makes it so when it is new.
    ///
    /// # Errors
    /// `Identity` when it is another's; `Directory` when it cannot be read or written.
    pub fn check(&self, directory: &Path) -> Result<(), StartError> {
        match fs::read_to_string(directory.join(FILE)) {
            Ok(found) if found == self.0 => Ok(()),
            Ok(found) => Err(StartError::Identity { found, wanted: self.0.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write(directory).map_err(StartError::directory(directory)),
            Err(error) => Err(StartError::directory(directory)(error)),
        }
    }

    fn write(&self, directory: &Path) -> io::Result<()> {
        let temporary = directory.join("identity.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(self.0.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, directory.join(FILE))?;
        File::open(directory)?.sync_all()
    }
}
