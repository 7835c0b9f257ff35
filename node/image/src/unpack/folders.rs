//! The folders that entries go into, also those that the archive uses without describing them.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::FileType;

use super::Refusal;
use super::entry::{Unpacker, at_disk, remove};
use super::jail::{self, Dress};
use super::name::shown;

impl Unpacker {
    /// Opens a folder of this layer, if it is there.
    pub(super) fn existing(&mut self, path: &Path, raw: &[u8]) -> Result<Option<Rc<OwnedFd>>, Refusal> {
        match self.jail.folder(path) {
            Ok(folder) => Ok(Some(folder)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if not_a_folder(&error) => Ok(None),
            Err(error) => Err(at_disk(raw, error)),
        }
    }

    /// Opens a folder of this layer, making what the archive did not describe.
    pub(super) fn folder(&mut self, path: &Path, raw: &[u8]) -> Result<Rc<OwnedFd>, Refusal> {
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

fn not_a_folder(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
