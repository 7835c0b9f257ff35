//! The store's folder: where things are, and how they get there without ever being seen half-done.
//!
//! `blobs/sha256/HEX` content by digest, `layers/HEX` unpacked layers, `tmp/` work in progress, `index.json`, `lock`. Every file name
//! is made of a checked digest or chosen here.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use tempfile::{NamedTempFile, TempDir};

use crate::digest::Digest;
use crate::error::ImageError;

/// The open folder of a store.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    /// Locked as long as the store is open.
    lock: File,
}

impl Disk {
    /// Makes what is missing, takes the lock and empties `tmp`.
    pub(crate) fn open(root: &Path) -> Result<Self, ImageError> {
        let failed = |error: io::Error| ImageError::io(format!("open the image store {}", root.display()), error);
        for dir in ["", "blobs", "blobs/sha256", "layers", "tmp"] {
            let dir = root.join(dir);
            DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed)?;
            fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(root.join("lock")).map_err(failed)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(ImageError::Locked(root.display().to_string())),
            Err(error) => return Err(failed(error.into())),
        }
        let disk = Self { root: fs::canonicalize(root).map_err(failed)?, lock };
        disk.empty_tmp().map_err(failed)?;
        Ok(disk)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    pub(crate) fn layer(&self, key: &Digest) -> PathBuf {
        self.root.join("layers").join(key.hex())
    }

    /// A file to write content into before its digest is known to be right. It is gone when dropped.
    pub(crate) fn temp_file(&self) -> Result<NamedTempFile, ImageError> {
        NamedTempFile::new_in(self.tmp()).map_err(|error| ImageError::io("make a temporary file in the image store", error))
    }

    /// A folder to work in. It is gone when dropped.
    pub(crate) fn temp_dir(&self) -> Result<TempDir, ImageError> {
        TempDir::new_in(self.tmp()).map_err(|error| ImageError::io("make a temporary folder in the image store", error))
    }

    /// Takes over a temporary file whose content was checked to have this digest.
    pub(crate) fn adopt(&self, path: &Path, digest: &Digest) -> Result<(), ImageError> {
        let place = self.blob(digest);
        if place.exists() {
            return Ok(());
        }
        fs::rename(path, &place).map_err(|error| ImageError::io(format!("store {digest}"), error))
    }

    /// Links a staged file, which several images of an archive may share, into the store.
    pub(crate) fn take(&self, path: &Path, digest: &Digest) -> Result<(), ImageError> {
        match fs::hard_link(path, self.blob(digest)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(ImageError::io(format!("store {digest}"), error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Stores a small piece of content.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest, ImageError> {
        let digest = Digest::of(bytes);
        let mut file = self.temp_file()?;
        file.write_all(bytes).map_err(|error| ImageError::io(format!("store {digest}"), error))?;
        self.adopt(file.path(), &digest)?;
        Ok(digest)
    }

    /// Reads a small piece of content and checks it again.
    pub(crate) fn get(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, ImageError> {
        let failed = |error| ImageError::io(format!("read {digest} from the image store"), error);
        let mut bytes = Vec::new();
        File::open(self.blob(digest)).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(ImageError::Digest { what: "stored content".to_owned(), expected: digest.to_string(), found: found.to_string() });
        }
        Ok(bytes)
    }

    /// Writes everything of the store through to the disk; one call is cheaper than one for each of thousands of files.
    pub(crate) fn flush(&self) -> Result<(), ImageError> {
        rustix::fs::syncfs(&self.lock).map_err(|error| ImageError::io("flush the image store", error))
    }

    /// Replaces the index: after a crash it is the old one or the new one.
    pub(crate) fn write_index(&self, bytes: &[u8]) -> Result<(), ImageError> {
        let failed = |error| ImageError::io("write the image index", error);
        let mut file = self.temp_file()?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(self.index()).map_err(|error| failed(error.error))?;
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(failed)
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.json")
    }

    /// Moves something out of sight; deleting a large layer takes long, moving it does not.
    pub(crate) fn discard(&self, path: &Path, trash: &TempDir) -> Result<(), ImageError> {
        // A blob and the layer that it unpacks to may have the same name: an uncompressed layer has one digest.
        let name = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('/', "-");
        match fs::rename(path, trash.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ImageError::io(format!("remove {}", path.display()), error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The digests that a folder of the store has entries for; anything else in it is not ours to judge and is left alone.
    pub(crate) fn entries(&self, folder: &str) -> Result<Vec<Digest>, ImageError> {
        let failed = |error| ImageError::io(format!("list {folder} of the image store"), error);
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join(folder)).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            found.extend(name.to_str().and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok()));
        }
        Ok(found)
    }

    fn empty_tmp(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.tmp())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
