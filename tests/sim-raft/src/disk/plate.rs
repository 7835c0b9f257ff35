//! What is on a disk: as processes see it, and as it would come back after a power cut.

use std::collections::BTreeMap;
use std::io;

use cluster_seeds::Chance;

use super::End;

/// What a disk writes at once, in bytes: a torn write is torn between two of these.
const SECTOR: usize = 512;

/// A file's bytes.
#[derive(Debug, Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

type Names = BTreeMap<String, usize>;

/// See the module.
#[derive(Debug)]
pub(super) struct Plate {
    process: u64,
    seen: Names,
    durable: Names,
    /// By number; those without a name are read by who has them open.
    files: Vec<Content>,
    fuse: Option<(u32, End)>,
    chance: Chance,
    lost_bytes: u64,
}

impl Plate {
    pub(super) fn new(chance: Chance) -> Self {
        Self { process: 0, seen: Names::new(), durable: Names::new(), files: Vec::new(), fuse: None, chance, lost_bytes: 0 }
    }

    pub(super) fn process(&self) -> u64 {
        self.process
    }

    pub(super) fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    pub(super) fn light(&mut self, operation: u32, how: End) {
        self.fuse = Some((operation, how));
    }

    pub(super) fn put_out(&mut self) {
        self.fuse = None;
    }

    pub(super) fn end(&mut self, how: End) {
        self.process += 1;
        self.fuse = None;
        if how == End::PowerCut {
            self.cut();
        }
    }

    pub(super) fn durable(&self) -> Self {
        let mut copy = Self::new(self.chance.clone());
        for (name, file) in &self.durable {
            copy.seen.insert(name.clone(), copy.files.len());
            let durable = &self.files[*file].durable;
            copy.files.push(Content { seen: durable.clone(), durable: durable.clone() });
        }
        copy.durable.clone_from(&copy.seen);
        copy
    }

    fn cut(&mut self) {
        if self.chance.percent(50) {
            self.durable.clone_from(&self.seen);
        }
        self.seen.clone_from(&self.durable);
        let is_lucky = self.chance.percent(60);
        for number in 0..self.files.len() {
            if self.files[number].seen != self.files[number].durable {
                self.tear(number, is_lucky);
            }
        }
    }

    /// Each sector that was not synced is as it was or as it was to be.
    fn tear(&mut self, number: usize, is_lucky: bool) {
        let Content { seen, durable } = std::mem::take(&mut self.files[number]);
        let grew = is_lucky && self.chance.percent(50);
        let mut torn = durable;
        torn.resize(if grew { torn.len().max(seen.len()) } else { torn.len() }, 0);
        for (old, new) in torn.chunks_mut(SECTOR).zip(seen.chunks(SECTOR)) {
            let length = old.len().min(new.len());
            if is_lucky && self.chance.percent(50) {
                old[..length].copy_from_slice(&new[..length]);
            } else if old[..length] != new[..length] {
                self.lost_bytes += length as u64;
            }
        }
        self.files[number] = Content { seen: torn.clone(), durable: torn };
    }

    /// The next operation. Fails when it is the one in which the process ends.
    fn burn(&mut self) -> io::Result<()> {
        match &mut self.fuse {
            Some((0, how)) => {
                let how = *how;
                self.end(how);
                Err(io::Error::other("the process ends here"))
            }
            Some((operations, _)) => {
                *operations -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Makes names durable, as the trait promises.
    pub(super) fn names(&mut self) -> io::Result<Vec<String>> {
        self.burn()?;
        self.durable.clone_from(&self.seen);
        Ok(self.seen.keys().cloned().collect())
    }

    pub(super) fn find(&self, name: &str) -> io::Result<usize> {
        self.seen.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn create(&mut self, name: &str, size: usize) -> io::Result<usize> {
        let file = self.files.len();
        self.files.push(Content { seen: vec![0; size], durable: vec![0; size] });
        self.rename_all(|names| _ = names.insert(name.to_owned(), file))?;
        Ok(file)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.find(from)?;
        self.rename_all(|names| {
            names.remove(from);
            names.insert(to.to_owned(), file);
        })
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.find(name)?;
        self.rename_all(|names| _ = names.remove(name))
    }

    /// First seen, then durable.
    fn rename_all(&mut self, change: impl FnOnce(&mut Names)) -> io::Result<()> {
        self.burn()?;
        change(&mut self.seen);
        self.burn()?;
        self.durable.clone_from(&self.seen);
        Ok(())
    }

    pub(super) fn bytes(&self, file: usize) -> io::Result<&[u8]> {
        self.files.get(file).map(|content| &*content.seen).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn write(&mut self, file: usize, start: usize, bytes: &[u8]) -> io::Result<()> {
        self.burn()?;
        let content = self.files.get_mut(file).ok_or(io::ErrorKind::NotFound)?;
        let end = start + bytes.len();
        content.seen.resize(content.seen.len().max(end), 0);
        content.seen[start..end].copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn sync(&mut self, file: usize) -> io::Result<()> {
        self.burn()?;
        let content = self.files.get_mut(file).ok_or(io::ErrorKind::NotFound)?;
        content.durable.clone_from(&content.seen);
        Ok(())
    }
}
