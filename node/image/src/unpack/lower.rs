//! The layers below: what a path is in them, as overlayfs would show it.
//!
//! Asked in two cases only: a hard link to a file that a lower layer brought, and a folder that this layer uses without describing it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::jail::{self, Dress};

/// The unpacked layers below.
pub(super) struct Lowers {
    /// Highest first.
    roots: Vec<OwnedFd>,
}

/// Something that a lower layer has.
pub(super) struct Found {
    folder: OwnedFd,
    name: OsString,
    stat: Stat,
}

enum Seen {
    Here(Found),
    /// This layer says that it is gone, or covers it.
    Hidden,
    NotHere,
}

impl Lowers {
    /// Opens the layers, given lowest first.
    pub(super) fn open(layers: &[PathBuf]) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |path: &PathBuf| Ok(rustix::fs::open(path, flags, Mode::empty())?);
        Ok(Self { roots: layers.iter().rev().map(open).collect::<io::Result<_>>()? })
    }

    /// What a container of these layers would find at a checked path.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        for root in &self.roots {
            match walk(root, path)? {
                Seen::Here(found) => return Ok(Some(found)),
                Seen::Hidden => return Ok(None),
                Seen::NotHere => {}
            }
        }
        Ok(None)
    }
}

fn walk(root: &OwnedFd, path: &Path) -> io::Result<Seen> {
    let mut folder = jail::open_below(root.as_fd(), Path::new(""))?;
    let mut hides = jail::is_opaque(&folder)?;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Ok(Seen::Hidden) };
        let Some(stat) = jail::look(&folder, name)? else {
            return Ok(if hides { Seen::Hidden } else { Seen::NotHere });
        };
        if jail::is_whiteout(&stat) {
            return Ok(Seen::Hidden);
        }
        if parts.peek().is_none() {
            return Ok(Seen::Here(Found { folder, name: name.to_owned(), stat }));
        }
        if jail::kind(&stat) != FileType::Directory {
            return Ok(Seen::Hidden);
        }
        folder = jail::open_below(folder.as_fd(), Path::new(name))?;
        hides |= jail::is_opaque(&folder)?;
    }
    Ok(Seen::Hidden)
}

impl Found {
    /// A file, a folder, a link…
    pub(super) fn kind(&self) -> FileType {
        jail::kind(&self.stat)
    }

    /// Opens a file or folder for reading.
    pub(super) fn open(&self) -> io::Result<std::fs::File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty())?.into())
    }

    /// Where a symbolic link points.
    pub(super) fn link(&self) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.folder, &self.name, Vec::new())?.into_bytes())
    }

    /// Owner, mode and time; attributes too when `opened` is the open file or folder.
    pub(super) fn dress(&self, opened: Option<&std::fs::File>) -> io::Result<Dress> {
        let xattrs = opened.map_or(Ok(Vec::new()), attributes)?;
        let mode = self.stat.st_mode & 0o7777;
        Ok(Dress { uid: self.stat.st_uid, gid: self.stat.st_gid, mode, mtime: self.stat.st_mtime, xattrs })
    }
}

/// The attributes of a file that an image may set; see [`is_kept`].
fn attributes(file: &std::fs::File) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::flistxattr(file, names.as_mut_slice()) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = names.get(..length).unwrap_or_default();
    let mut found = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let name = OsStr::from_bytes(name);
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::fgetxattr(file, name, value.as_mut_slice())?;
        value.truncate(length);
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

/// Whether an image may set this attribute. Those of overlayfs would forge whiteouts and redirects; labels are the host's business.
pub(super) fn is_kept(name: &[u8]) -> bool {
    let user = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
    user || name == b"security.capability" || name.starts_with(b"system.posix_acl_")
}
