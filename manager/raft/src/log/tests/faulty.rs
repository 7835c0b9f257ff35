//! A disk in memory that can be copied at any moment, cut, flipped, filled and made to fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Disk, DiskFile};
use crate::log::frame;
use crate::log::segment;

type Bytes = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Clone, Default)]
pub(super) struct FaultyDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, Bytes>,
    /// Bytes that new files may still take.
    room: u64,
    syncs_fail: bool,
    syncs: usize,
}

impl Default for Inner {
    fn default() -> Self {
        Self { files: BTreeMap::new(), room: u64::MAX, syncs_fail: false, syncs: 0 }
    }
}

impl FaultyDisk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic")
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.inner().files.iter().map(|(name, bytes)| (name.clone(), bytes.lock().expect("no panic").clone())).collect()
    }

    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.inner().files.insert(name.to_owned(), Arc::new(Mutex::new(bytes)));
    }

    /// The disk as it is now.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::default();
        self.contents().into_iter().for_each(|(name, bytes)| copy.put(&name, bytes));
        copy
    }

    pub(super) fn segments(&self) -> Vec<String> {
        self.inner().files.keys().filter(|name| segment::first_frame(name).is_some()).cloned().collect()
    }

    /// Copies of this disk that have a first part, of each length, of what `next` wrote more.
    pub(super) fn cuts_towards(&self, next: &Self) -> Vec<Self> {
        let (old, new) = (self.contents(), next.contents());
        let mut cuts = Vec::new();
        for name in next.segments() {
            let target = &new[&name];
            let source = old.get(&name).cloned().unwrap_or_else(|| vec![0; target.len()]);
            let changed: Vec<usize> = (0..target.len()).filter(|place| source[*place] != target[*place]).collect();
            for end in changed {
                let cut = self.copy();
                cut.put(&name, [&target[..end], &source[end..]].concat());
                cuts.push(cut);
            }
        }
        cuts
    }

    /// File and offset of every frame, in order.
    pub(super) fn frames(&self) -> Vec<(String, u64)> {
        let mut frames = Vec::new();
        let contents = self.contents();
        for name in self.segments() {
            let (bytes, mut offset) = (&contents[&name], 0);
            while let Some(frame) = frame::read(&bytes[offset..]) {
                frames.push((name.clone(), offset as u64));
                offset += frame::HEAD + frame.body.len();
            }
        }
        frames
    }

    pub(super) fn flip(&self, name: &str, offset: u64) {
        let place = usize::try_from(offset).expect("small");
        self.inner().files[name].lock().expect("no panic")[place] ^= 0x10;
    }

    pub(super) fn fail_syncs(&self, fail: bool) {
        self.inner().syncs_fail = fail;
    }

    pub(super) fn set_room(&self, room: u64) {
        self.inner().room = room;
    }

    pub(super) fn syncs(&self) -> usize {
        self.inner().syncs
    }
}

impl Disk for FaultyDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.inner().files.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let bytes = self.inner().files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), bytes }))
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Box<dyn DiskFile>> {
        {
            let mut inner = self.inner();
            inner.room = inner.room.checked_sub(size).ok_or(io::ErrorKind::StorageFull)?;
        }
        self.put(name, vec![0; usize::try_from(size).expect("small")]);
        self.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner();
        let bytes = inner.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner().files.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    bytes: Bytes,
}

impl DiskFile for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().expect("no panic").len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        bytes.copy_from_slice(&self.bytes.lock().expect("no panic")[start..start + bytes.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        self.bytes.lock().expect("no panic")[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.syncs += 1;
        if inner.syncs_fail { Err(io::Error::other("the disk failed")) } else { Ok(()) }
    }
}
