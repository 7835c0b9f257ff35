//! Puts the entries of a layer into its folder, one after the other.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use tar::EntryType;

use super::jail::{self, Dress, Jail};
use super::lower::{self, Found, Lowers};
use super::name::{self, Meaning, Name, shown};
use super::{Refusal, broken};

/// Largest size that the octal field of a tar header can hold.
const OCTAL_MAX: u64 = 0o77_777_777_777;

/// The layer being unpacked.
pub(super) struct Unpacker {
    jail: Jail,
    lowers: Lowers,
    /// Times of folders are set at the end: making entries changes them.
    folder_times: Vec<(PathBuf, i64)>,
    done: Done,
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

    /// Opens a folder of this layer, if it is there.
    fn existing(&mut self, path: &Path, raw: &[u8]) -> Result<Option<Rc<OwnedFd>>, Refusal> {
        match self.jail.folder(path) {
            Ok(folder) => Ok(Some(folder)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if not_a_folder(&error) => Ok(None),
            Err(error) => Err(at_disk(raw, error)),
        }
    }

    /// Opens a folder of this layer, making what the archive did not describe.
    fn folder(&mut self, path: &Path, raw: &[u8]) -> Result<Rc<OwnedFd>, Refusal> {
        match self.jail.folder(path) {
            Ok(folder) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound || not_a_folder(&error) => {}
            Err(error) => return Err(at_disk(raw, error)),
        }
        let mut made = PathBuf::new();
        for part in path {
            self.step_into(&made, part, raw)?;
            made.push(part);
        }
        self.jail.folder(path).map_err(|error| at_disk(raw, error))
    }

    /// Makes one folder that the archive did not describe. It looks as in the layers below, so that it does not cover them.
    fn step_into(&mut self, parent: &Path, name: &OsStr, raw: &[u8]) -> Result<(), Refusal> {
        let folder = self.jail.folder(parent).map_err(|error| at_disk(raw, error))?;
        let existing = jail::look(&*folder, name).map_err(|error| at_disk(raw, error))?;
        let hides = match &existing {
            Some(stat) if jail::kind(stat) == FileType::Directory => return Ok(()),
            Some(stat) if jail::is_whiteout(stat) => true,
            Some(_) => {
                let through = shown(parent.join(name).as_os_str().as_bytes());
                return Err(Refusal::Hostile(format!("{} goes through {through}, which is a link or file and no folder", shown(raw))));
            }
            None => false,
        };
        let path = parent.join(name);
        let below = if hides { None } else { self.folder_below(&path).map_err(|error| at_disk(raw, error))? };
        self.done.uses_lower |= !hides;
        let dress = below.unwrap_or(Dress { mode: 0o755, ..Dress::default() });
        let place = || -> io::Result<()> {
            remove(&folder, name, existing.as_ref())?;
            let made = jail::make_folder(&*folder, name)?;
            if hides {
                jail::make_opaque(&made)?;
            }
            jail::dress_open(&made, &dress)
        };
        place().map_err(|error| at_disk(raw, error))?;
        self.folder_times.push((path, dress.mtime));
        Ok(())
    }

    fn folder_below(&self, path: &Path) -> io::Result<Option<Dress>> {
        match self.lowers.find(path)? {
            Some(found) if found.kind() == FileType::Directory => found.dress(Some(&found.open()?)).map(Some),
            Some(_) | None => Ok(None),
        }
    }
}

/// Two parsers must not read two archives out of one file (CVE-2025-62518): sizes that disagree are refused.
fn check_agreement<R: Read>(entry: &mut tar::Entry<'_, R>, raw: &[u8]) -> Result<(), Refusal> {
    let effective = entry.size();
    let header = entry.header().entry_size().map_err(broken)?;
    let sparse = entry.header().entry_type() == EntryType::GNUSparse;
    if !sparse && header != effective && effective <= OCTAL_MAX {
        return Err(Refusal::Hostile(format!("{} has two sizes: {header} in its header, {effective} in its extended header", shown(raw))));
    }
    if entry.header().entry_type() == EntryType::XGlobalHeader {
        return Ok(());
    }
    let Some(extensions) = entry.pax_extensions().map_err(broken)? else { return Ok(()) };
    for extension in extensions {
        if extension.map_err(broken)?.key_bytes().starts_with(b"GNU.sparse.") {
            return Err(Refusal::Hostile(format!("{} is stored as a sparse file of the PAX form, which is not supported", shown(raw))));
        }
    }
    Ok(())
}

/// A header for all entries that follow may carry a comment; names and sizes in it are read by some parsers and not by others.
fn global_header<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), Refusal> {
    let mut text = Vec::new();
    entry.take(crate::limits::ENTRY_HEADERS).read_to_end(&mut text).map_err(broken)?;
    for extension in tar::PaxExtensions::new(&text) {
        let extension = extension.map_err(broken)?;
        if matches!(extension.key_bytes(), b"path" | b"linkpath" | b"size") {
            return Err(Refusal::Hostile(format!("a global header sets {}", shown(extension.key_bytes()))));
        }
    }
    Ok(())
}

fn dress<R: Read>(entry: &mut tar::Entry<'_, R>, raw: &[u8]) -> Result<Dress, Refusal> {
    let header = entry.header();
    let id = |id: io::Result<u64>| {
        let id = id.map_err(broken)?;
        // The highest id means "leave it" to chown (CVE-2024-40635 is its cousin).
        let id = u32::try_from(id).ok().filter(|id| *id != u32::MAX);
        id.ok_or_else(|| Refusal::Hostile(format!("{} has an owner beyond 32 bits", shown(raw))))
    };
    let (uid, gid) = (id(header.uid())?, id(header.gid())?);
    let mode = header.mode().map_err(broken)? & 0o7777;
    let mtime = header.mtime().ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0);
    Ok(Dress { uid, gid, mode, mtime, xattrs: attributes(entry)? })
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<(OsString, Vec<u8>)>, Refusal> {
    let mut found = Vec::new();
    let Some(extensions) = entry.pax_extensions().map_err(broken)? else { return Ok(found) };
    for extension in extensions {
        let extension = extension.map_err(broken)?;
        if let Some(name) = extension.key_bytes().strip_prefix(b"SCHILY.xattr.")
            && lower::is_kept(name)
        {
            found.push((OsString::from_vec(name.to_vec()), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

fn target<R: Read>(entry: &tar::Entry<'_, R>, raw: &[u8]) -> Result<Vec<u8>, Refusal> {
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    if target.is_empty() || target.len() > crate::limits::PATH_BYTES || target.contains(&0) {
        return Err(Refusal::Hostile(format!("the link {} has no usable target", shown(raw))));
    }
    Ok(target)
}

fn symlink(parent: &OwnedFd, name: &OsStr, target: &[u8], dress: &Dress) -> io::Result<()> {
    rustix::fs::symlinkat(target, parent, name)?;
    jail::dress_named(parent, name, dress, false)
}

/// Removes a file, a link or a whiteout, if there is one.
fn remove(parent: &OwnedFd, name: &OsStr, existing: Option<&Stat>) -> io::Result<()> {
    if existing.is_some() {
        rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
    }
    Ok(())
}

fn not_a_folder(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn at_disk(raw: &[u8], error: io::Error) -> Refusal {
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
