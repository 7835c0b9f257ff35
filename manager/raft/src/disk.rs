//! What the log and the snapshots ask of a disk, so that it can run on a simulated one. It knows names in one directory, nothing of records.
//!
//! The real one is [`directory::Directory`]; faults are injected by wrapping it.

use std::fmt::Debug;
use std::io;

pub mod directory;

pub use directory::Directory;

/// One flat directory of files. A file's name and size are durable when the call that made them returns.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Names of all files, in order; they are durable when it returns, also those that a killed process gave and did not sync.
    ///
    /// # Errors
    /// Whatever the system says.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Makes a file of `size` zero bytes whose space is really taken, so that writing into it needs none. Replaces one of that name.
    ///
    /// # Errors
    /// `StorageFull` when there is no room; the file is removed again then.
    fn create(&self, name: &str, size: u64) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name.
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// All of it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.length()?).map_err(|_| io::ErrorKind::FileTooLarge)?];
        self.read_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Its size in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` with what is at `offset`.
    ///
    /// # Errors
    /// Whatever the system says; `UnexpectedEof` when the file ends before.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`; past the end the file grows. Not durable before [`DiskFile::sync`].
    ///
    /// # Errors
    /// Whatever the system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable (`fdatasync`). After an error the file's content is unknown: never retry.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync(&self) -> io::Result<()>;
}
