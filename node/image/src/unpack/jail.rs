//! The folder that a layer is unpacked into. Every step is relative to an open folder, no link is ever followed, and nothing above
//! the folder can be named: the kernel itself refuses it (`openat2` with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS).
//!
//! It knows how to make things and how to dress them (owner, mode, times, attributes), not what an entry means.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

/// The attribute with which overlayfs marks a folder that hides what is below it.
pub(super) const OPAQUE: &str = "trusted.overlay.opaque";

/// Owner, mode, time and attributes of an entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Dress {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Permission bits with setuid, setgid and sticky.
    pub(super) mode: u32,
    /// Seconds since the epoch.
    pub(super) mtime: i64,
    pub(super) xattrs: Vec<(OsString, Vec<u8>)>,
}

/// An open folder that nothing leads out of.
pub(super) struct Jail {
    root: OwnedFd,
    /// The folder that was opened last: entries of one folder follow each other. Folders are never replaced, so it stays right.
    last: Option<(PathBuf, Rc<OwnedFd>)>,
}

impl Jail {
    /// Opens the folder at `path`, which is our own. Until the layer says otherwise it looks as a root folder does: everyone may pass.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755))?;
        Ok(Self { root, last: None })
    }

    /// Opens an existing folder; empty is the root.
    pub(super) fn folder(&mut self, path: &Path) -> io::Result<Rc<OwnedFd>> {
        if let Some((known, folder)) = &self.last
            && known == path
        {
            return Ok(Rc::clone(folder));
        }
        let folder = Rc::new(open_below(self.root.as_fd(), path)?);
        self.last = Some((path.to_owned(), Rc::clone(&folder)));
        Ok(folder)
    }
}

/// Opens a folder below another one without following any link; empty is the folder itself.
pub(super) fn open_below(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// What is in a folder under this name; links are not followed.
pub(super) fn look(folder: impl AsFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The kind of what was found.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Whether it is the mark that overlayfs reads as "gone".
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Makes the mark that overlayfs reads as "gone".
pub(super) fn make_whiteout(folder: impl AsFd, name: &OsStr) -> io::Result<()> {
    Ok(rustix::fs::mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), 0)?)
}

/// Makes a folder and opens it.
pub(super) fn make_folder(parent: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(&parent, name, Mode::RWXU)?;
    open_below(parent.as_fd(), Path::new(name))
}

/// Makes a file that was not there and opens it for writing.
pub(super) fn make_file(parent: impl AsFd, name: &OsStr) -> io::Result<std::fs::File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Marks a folder: nothing of it shines through from below.
pub(super) fn make_opaque(folder: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(folder, OPAQUE, b"y", XattrFlags::empty())?)
}

/// Whether a folder is so marked.
pub(super) fn is_opaque(folder: impl AsFd) -> io::Result<bool> {
    let mut value = [0; 1];
    match rustix::fs::fgetxattr(folder, OPAQUE, &mut value) {
        Ok(_) => Ok(value == *b"y"),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Dresses an open file or folder. The order counts: a change of owner drops setuid bits and capabilities.
pub(super) fn dress_open(target: impl AsFd, dress: &Dress) -> io::Result<()> {
    rustix::fs::fchown(&target, Some(Uid::from_raw(dress.uid)), Some(Gid::from_raw(dress.gid)))?;
    rustix::fs::fchmod(&target, Mode::from_raw_mode(dress.mode))?;
    for (name, value) in &dress.xattrs {
        match rustix::fs::fsetxattr(&target, name, value, XattrFlags::empty()) {
            // A file system without them: as docker does, the file comes without.
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rustix::fs::futimens(&target, &times(dress.mtime))?)
}

/// Dresses a symbolic link (which has no mode) or, with `mode`, a pipe.
pub(super) fn dress_named(folder: impl AsFd, name: &OsStr, dress: &Dress, mode: bool) -> io::Result<()> {
    rustix::fs::chownat(&folder, name, Some(Uid::from_raw(dress.uid)), Some(Gid::from_raw(dress.gid)), AtFlags::SYMLINK_NOFOLLOW)?;
    if mode {
        rustix::fs::chmodat(&folder, name, Mode::from_raw_mode(dress.mode), AtFlags::empty())?;
    }
    Ok(rustix::fs::utimensat(&folder, name, &times(dress.mtime), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Both times of an entry are its mtime, so that two unpackings of a layer are alike.
pub(super) fn times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
