//! A disk in memory, of which only what was synced is sure to survive a power cut.
//!
//! A process that is killed leaves what it wrote to the system: the next one reads it, and a power cut may still take it. Names are made
//! durable by the same call that changes them, but a kill or a cut may come between. A fuse ends the process, or the power, in the middle
//! of one of the next operations.

mod plate;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster_raft::disk::{Disk, DiskFile};
use cluster_seeds::Chance;

use self::plate::Plate;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The process alone.
    Kill,
    /// The machine: what was not synced is gone, or torn.
    PowerCut,
}

/// One process's handle on a disk. It fails when that process has ended.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk {
    plate: Arc<Mutex<Plate>>,
    process: u64,
}

impl SimDisk {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { plate: Arc::new(Mutex::new(Plate::new(chance))), process: 0 }
    }

    fn plate(&self) -> MutexGuard<'_, Plate> {
        self.plate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handle of the process that starts now.
    pub(crate) fn start(&self) -> Self {
        Self { plate: self.plate.clone(), process: self.plate().process() }
    }

    /// Whether the handle's process runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.plate().process() == self.process
    }

    /// Ends the process that runs.
    pub(crate) fn end(&self, how: End) {
        self.plate().end(how);
    }

    /// Ends the process in the middle of the `operation`-th operation from now.
    pub(crate) fn light(&self, operation: u32, how: End) {
        self.plate().light(operation, how);
    }

    /// Puts out a fuse.
    pub(crate) fn put_out(&self) {
        self.plate().put_out();
    }

    /// What would be left if the power were cut now and nothing survived by luck.
    pub(crate) fn durable(&self) -> Self {
        Self { plate: Arc::new(Mutex::new(self.plate().durable())), process: 0 }
    }

    /// Bytes that power cuts took.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.plate().lost_bytes()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Plate) -> io::Result<T>) -> io::Result<T> {
        let mut plate = self.plate();
        if plate.process() != self.process {
            return Err(io::Error::other("the process has ended"));
        }
        work(&mut plate)
    }

    fn handle(&self, file: usize) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), file })
    }
}

impl Disk for SimDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        self.with(Plate::names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.with(|plate| plate.find(name)).map(|file| self.handle(file))
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Box<dyn DiskFile>> {
        self.with(|plate| plate.create(name, place(size)?)).map(|file| self.handle(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.with(|plate| plate.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.with(|plate| plate.remove(name))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        self.disk.with(|plate| Ok(plate.bytes(self.file)?.len() as u64))
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = place(offset)?;
        self.disk.with(|plate| {
            let part = plate.bytes(self.file)?.get(start..start + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(part);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = place(offset)?;
        self.disk.with(|plate| plate.write(self.file, start, bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.with(|plate| plate.sync(self.file))
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
