//! openraft's own suite: what every log store and state machine must do.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::LogStore;
use crate::disk::{Directory, Disk};
use crate::machine::Machine;
use crate::machine::publisher::Publisher;
use crate::machine::snapshots::Snapshots;
use crate::types::Types;

/// The suite writes little: small segments make it cross their borders and start faster.
const SEGMENT: u64 = 16 << 10;

struct OnDisk;

impl StoreBuilder<Types, LogStore, Machine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, LogStore, Machine), StorageError<Types>> {
        let dir = TempDir::new().expect("a temporary directory");
        let disk: Arc<dyn Disk> = Arc::new(Directory::open(dir.path()).expect("a directory"));
        let log = LogStore::open_with(disk.clone(), SEGMENT).expect("an empty log");
        let snapshots = Arc::new(Snapshots::open(disk).expect("no snapshot"));
        let machine = Machine::open(Arc::<Publisher>::default(), snapshots).expect("an empty machine");
        Ok((dir, log, machine))
    }
}

#[tokio::test]
async fn openrafts_suite_passes() {
    Suite::test_all(OnDisk).await.expect("the suite");
}
