//! Puts the entries of a layer into its folder, one after the other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use tar::EntryType;

use super::header::{check_agreement, dress, global_header, target};
use super::jail::{self, Dress, Jail};
use super::lower::{Found, Lowers};
use super::name::{self, Meaning, Name, shown};
use super::{Refusal, broken};

/// The layer being unpacked.
pub(super) struct Unpacker {
    pub(super) jail: Jail,
    pub(super) lowers: Lowers,
    /// Times of folders are set at the end: making entries changes them.
    pub(super) folder_times: Vec<(PathBuf, i64)>,
    pub(super) done: Done,
}

/// What came of a layer.
#[derive(Default)]
pub(super) struct Done {
    pub(super) size: u64,
    pub(super) uses_lower: bool,
    pub(super) skipped: BTreeMap<&'static str, u64>,
}

/// An entry's name as bytes, for messages, and its checked form.
struct At<'a> {
    raw: &'a [u8],
    name: &'a Name,
}

impl Unpacker {
    pub(super) fn new(into: &Path, lowers: &[PathBuf]) -> Result<Self, Refusal> {
        let disk = |error| Refusal::Disk(format!("open layer folder {}", into.display()), error);
        let jail = Jail::open(into).map_err(disk)?;
        let lowers = Lowers::open(lowers).map_err(disk)?;
        Ok(Self { jail, lowers, folder_times: Vec::new(), done: Done::default() })
    }

    /// Puts one entry in its place.
    pub(super) fn add<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), Refusal> {
        let raw = entry.path_bytes().into_owned();
        check_agreement(entry, &raw)?;
        match name::parse(&raw).map_err(Refusal::Hostile)? {
            Meaning::Root => self.root(entry, &raw),
            Meaning::Bookkeeping => Ok(()),
            Meaning::Opaque(path) => {
                let folder = self.folder(&path, &raw)?;
                jail::make_opaque(&*folder).map_err(|error| at_disk(&raw, error))
            }
            Meaning::Whiteout(name) => self.whiteout(&At { raw: &raw, name: &name }),
            Meaning::Entry(name) => self.entry(entry, &At { raw: &raw, name: &name }),
        }
    }

    /// Sets the times of the folders, deepest last made first.
    pub(super) fn finish(mut self) -> Result<Done, Refusal> {
        for (path, mtime) in std::mem::take(&mut self.folder_times).iter().rev() {
            let set = |jail: &mut Jail| Ok(rustix::fs::futimens(&*jail.folder(path)?, &jail::times(*mtime))?);
            set(&mut self.jail).map_err(|error| at_disk(path.as_os_str().as_bytes(), error))?;
        }
        Ok(self.done)
    }

    fn root<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, raw: &[u8]) -> Result<(), Refusal> {
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            return global_header(entry);
        }
        if entry.header().entry_type() != EntryType::Directory {
            return Err(Refusal::Hostile(format!("the root folder {} is not a folder", shown(raw))));
        }
        let dress = dress(entry, raw)?;
        let root = self.jail.folder(Path::new("")).map_err(|error| at_disk(raw, error))?;
        self.folder_times.push((PathBuf::new(), dress.mtime));
        jail::dress_open(&*root, &dress).map_err(|error| at_disk(raw, error))
    }

    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, at: &At<'_>) -> Result<(), Refusal> {
        // Archives older than ustar mark a folder by its name only.
        let old_folder = entry.header().as_ustar().is_none() && entry.header().as_gnu().is_none() && at.raw.ends_with(b"/");
        match entry.header().entry_type() {
            EntryType::Directory => self.make_folder(entry, at),
            EntryType::Regular if old_folder => self.make_folder(entry, at),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => self.make_file(entry, at),
            EntryType::Symlink => self.make_symlink(entry, at),
            EntryType::Link => self.make_link(entry, at),
            EntryType::Fifo => self.make_fifo(entry, at),
            EntryType::Char => self.skip("character device", at),
            EntryType::Block => self.skip("block device", at),
            EntryType::XGlobalHeader => global_header(entry),
            other => Err(Refusal::Hostile(format!("{} is of the unknown type {:?}", shown(at.raw), char::from(other.as_byte())))),
        }
    }

    /// A container gets a `/dev` of its own; a device of an image would be a door to the host's.
    fn skip(&mut self, kind: &'static str, at: &At<'_>) -> Result<(), Refusal> {
        tracing::debug!(entry = %shown(at.raw), kind, "left out of the layer: images bring no devices");
        *self.done.skipped.entry(kind).or_default() += 1;
        Ok(())
    }

    fn make_folder<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, at: &At<'_>) -> Result<(), Refusal> {
        let dress = dress(entry, at.raw)?;
        let parent = self.folder(&at.name.parent, at.raw)?;
        let place = || -> io::Result<()> {
            let existing = jail::look(&*parent, &at.name.last)?;
            let is_folder = existing.as_ref().is_some_and(|stat| jail::kind(stat) == FileType::Directory);
            if !is_folder {
                let hides = existing.as_ref().is_some_and(jail::is_whiteout);
                remove(&parent, &at.name.last, existing.as_ref())?;
                let made = jail::make_folder(&*parent, &at.name.last)?;
                if hides {
                    jail::make_opaque(&made)?;
                }
            }
            let folder = jail::open_below(rustix::fd::AsFd::as_fd(&*parent), Path::new(&at.name.last))?;
            jail::dress_open(&folder, &dress)
        };
        place().map_err(|error| at_disk(at.raw, error))?;
        self.folder_times.push((at.name.parent.join(&at.name.last), dress.mtime));
        Ok(())
    }

    fn make_file<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, at: &At<'_>) -> Result<(), Refusal> {
        let dress = dress(entry, at.raw)?;
        let parent = self.clear(at)?;
        let mut file = jail::make_file(&*parent, &at.name.last).map_err(|error| at_disk(at.raw, error))?;
        let expected = entry.size();
        let written = copy(entry, &mut file, at.raw)?;
        if written != expected {
            return Err(Refusal::Hostile(format!("{} is cut off: {written} of {expected} bytes", shown(at.raw))));
        }
        self.done.size = self.done.size.saturating_add(written);
        jail::dress_open(&file, &dress).map_err(|error| at_disk(at.raw, error))
    }

    /// The target is kept as it is: only a container, inside its own root, ever follows it.
    fn make_symlink<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, at: &At<'_>) -> Result<(), Refusal> {
        let dress = dress(entry, at.raw)?;
        let target = target(entry, at.raw)?;
        let parent = self.clear(at)?;
        symlink(&parent, &at.name.last, &target, &dress).map_err(|error| at_disk(at.raw, error))
    }

    fn make_fifo<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, at: &At<'_>) -> Result<(), Refusal> {
        let dress = dress(entry, at.raw)?;
        let parent = self.clear(at)?;
        let place = || -> io::Result<()> {
            rustix::fs::mknodat(&*parent, &at.name.last, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
            jail::dress_named(&*parent, &at.name.last, &dress, true)
        };
        place().map_err(|error| at_disk(at.raw, error))
    }

    fn make_link<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, at: &At<'_>) -> Result<(), Refusal> {
        let target = target(entry, at.raw)?;
        let hostile = |reason: String| Refusal::Hostile(format!("the hard link {}: {reason}", shown(at.raw)));
        let Some(source) = name::split(&target).map_err(hostile)? else {
            return Err(hostile("its target is the root folder".to_owned()));
        };
        let path = source.parent.join(&source.last);
        if path == at.name.parent.join(&at.name.last) {
            return Err(hostile("it points to itself".to_owned()));
        }
        let parent = self.clear(at)?;
        if let Some(folder) = self.existing(&source.parent, &target)?
            && let Some(stat) = jail::look(&*folder, &source.last).map_err(|error| at_disk(&target, error))?
        {
            if !matches!(jail::kind(&stat), FileType::RegularFile | FileType::Symlink | FileType::Fifo) {
                return Err(hostile(format!("its target {} is no file", shown(&target))));
            }
            let link = rustix::fs::linkat(&*folder, &source.last, &*parent, &at.name.last, AtFlags::empty());
            return link.map_err(|error| at_disk(at.raw, error.into()));
        }
        let below = self.lowers.find(&path).map_err(|error| at_disk(&target, error))?;
        let found = below.ok_or_else(|| hostile(format!("its target {} is not in the image", shown(&target))))?;
        self.done.uses_lower = true;
        self.copy_up(&found, &source, &target)?;
        let folder = self.folder(&source.parent, &target)?;
        rustix::fs::linkat(&*folder, &source.last, &*parent, &at.name.last, AtFlags::empty()).map_err(|error| at_disk(at.raw, error.into()))
    }

    /// Brings the target of a hard link up from a lower layer, as overlayfs does: both names must be one file.
    fn copy_up(&mut self, found: &Found, name: &Name, raw: &[u8]) -> Result<(), Refusal> {
        let parent = self.folder(&name.parent, raw)?;
        let place = || -> io::Result<u64> {
            match found.kind() {
                FileType::RegularFile => {
                    let mut from = found.open()?;
                    let mut to = jail::make_file(&*parent, &name.last)?;
                    let size = io::copy(&mut from, &mut to)?;
                    jail::dress_open(&to, &found.dress(Some(&from))?)?;
                    Ok(size)
                }
                FileType::Symlink => symlink(&parent, &name.last, &found.link()?, &found.dress(None)?).map(|()| 0),
                _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "only files and links can have two names")),
            }
        };
        let size = place().map_err(|error| at_disk(raw, error))?;
        self.done.size = self.done.size.saturating_add(size);
        Ok(())
    }

    /// A whiteout speaks of lower layers only: an entry of this layer stays, and a folder of this layer starts out empty.
    fn whiteout(&mut self, at: &At<'_>) -> Result<(), Refusal> {
        let parent = self.folder(&at.name.parent, at.raw)?;
        let place = || -> io::Result<()> {
            match jail::look(&*parent, &at.name.last)? {
                None => jail::make_whiteout(&*parent, &at.name.last),
                Some(stat) if jail::kind(&stat) == FileType::Directory => {
                    jail::make_opaque(jail::open_below(rustix::fd::AsFd::as_fd(&*parent), Path::new(&at.name.last))?)
                }
                Some(_) => Ok(()),
            }
        };
        place().map_err(|error| at_disk(at.raw, error))
    }

    /// Opens the folder that an entry goes into and removes what this layer put there before under the same name.
    fn clear(&mut self, at: &At<'_>) -> Result<Rc<OwnedFd>, Refusal> {
        let parent = self.folder(&at.name.parent, at.raw)?;
        let existing = jail::look(&*parent, &at.name.last).map_err(|error| at_disk(at.raw, error))?;
        if existing.as_ref().is_some_and(|stat| jail::kind(stat) == FileType::Directory) {
            return Err(Refusal::Hostile(format!("{} is there twice, once as a folder", shown(at.raw))));
        }
        remove(&parent, &at.name.last, existing.as_ref()).map_err(|error| at_disk(at.raw, error))?;
        Ok(parent)
    }
}

fn symlink(parent: &OwnedFd, name: &OsStr, target: &[u8], dress: &Dress) -> io::Result<()> {
    rustix::fs::symlinkat(target, parent, name)?;
    jail::dress_named(parent, name, dress, false)
}

/// Removes a file, a link or a whiteout, if there is one.
pub(super) fn remove(parent: &OwnedFd, name: &OsStr, existing: Option<&Stat>) -> io::Result<()> {
    if existing.is_some() {
        rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
    }
    Ok(())
}

pub(super) fn at_disk(raw: &[u8], error: io::Error) -> Refusal {
    Refusal::Disk(format!("unpack {}", shown(raw)), error)
}

/// Copies an entry's content; which side failed decides who is to blame.
fn copy(from: &mut impl Read, to: &mut File, raw: &[u8]) -> Result<u64, Refusal> {
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        };
        to.write_all(buffer.get(..n).unwrap_or_default()).map_err(|error| at_disk(raw, error))?;
        copied += n as u64;
    }
}
