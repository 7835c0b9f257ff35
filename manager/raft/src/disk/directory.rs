//! The real disk: a directory with mode 0700.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Disk, DiskFile};

/// Bytes of zeros written at once.
const ZEROS: usize = 1 << 18;

/// A directory on a real disk.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held for as long as the log is open: two processes on one log would ruin it.
    _lock: Option<File>,
}

impl Directory {
    /// Opens the directory, made with mode 0700 when it is missing.
    ///
    /// # Errors
    /// Whatever the system says; `WouldBlock` when another process has it open.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        // A directory from a backup may have come back with wider rights.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }

    /// The same directory without the lock: for files that are only replaced as a whole, by who may outlive the log for a moment.
    #[must_use]
    pub fn without_lock(&self) -> Self {
        Self { path: self.path.clone(), _lock: None }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes names durable.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn fill(&self, name: &str, size: u64) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(self.file(name))?;
        // Space first, all or nothing; then real zeros: overwriting them later needs no new block and no journal commit.
        if size > 0 {
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size)?;
        }
        let zeros = vec![0_u8; ZEROS];
        let mut offset = 0;
        while offset < size {
            let piece = usize::try_from(size - offset).unwrap_or(ZEROS).min(ZEROS);
            file.write_all_at(&zeros[..piece], offset)?;
            offset += piece as u64;
        }
        file.sync_all()?;
        self.sync()?;
        Ok(file)
    }
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        self.sync()?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(self.file(name))?))
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Box<dyn DiskFile>> {
        match self.fill(name, size) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => {
                // What was taken goes back: half a file helps nobody. The first error is the one that tells.
                let _ = fs::remove_file(self.file(name));
                Err(error)
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.file(from), self.file(to))?;
        self.sync()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.file(name))?;
        self.sync()
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
