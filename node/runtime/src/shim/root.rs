//! The root file system of a container: an overlay of the image's layers, mounted where only the launcher and the container see it.
//!
//! Everything inside is hostile: paths are resolved by the kernel with the root as their root (`openat2`), and only plain files are read.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat2};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::cgroup::Layout;
use crate::record::{Folder, Record, private_dir};
use crate::spec::Accounts;

/// Largest account file that is read, in bytes.
const MAX_ACCOUNT_FILE: u64 = 1 << 20;
/// How often a path is resolved that others' mounts keep from being resolved.
const TRIES: usize = 100;

/// Enters a mount namespace of its own and mounts the container's root there. Nothing is left to clean up when all its processes ended.
pub(super) fn mount(folder: &Folder, record: &Record) -> io::Result<OwnedFd> {
    // SAFETY: unsharing the mount namespace changes no memory; this process has one thread.
    #[expect(unsafe_code, reason = "unshare is unsafe for the sake of flags that are not used here")]
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    // What is mounted here must not be seen outside; what the host mounts or takes away later may come in.
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM)?;
    for dir in [folder.upper(), folder.work(), folder.stage()] {
        private_dir(&dir)?;
    }
    // What only the start needs is never written to the disk: files that come and go cost a file system more than all the rest.
    rustix::mount::mount("tmpfs", folder.stage(), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0700,size=4m")?;
    private_dir(&folder.root())?;
    // The upper folder's mode is that of the root directory inside.
    rustix::fs::chmod(folder.upper(), Mode::from_raw_mode(0o755))?;
    let layers = lower_dirs(folder, record)?;
    // Device nodes of an image are of use only where the devices controller watches them.
    let nodev = record.layout == Layout::Unified;
    match mount_stacked(folder, &layers, nodev) {
        // Kernels before 6.8 do not take layers one by one, and no kernel takes a path of more than 255 bytes in this way.
        Err(Errno::INVAL) => mount_at_once(folder, &layers, nodev)?,
        other => other?,
    }
    Ok(rustix::fs::open(folder.root(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The layers with the topmost first; an image without any has an empty one.
fn lower_dirs(folder: &Folder, record: &Record) -> io::Result<Vec<PathBuf>> {
    if !record.layers.is_empty() {
        return Ok(record.layers.iter().rev().cloned().collect());
    }
    let empty = folder.0.join("empty");
    private_dir(&empty)?;
    Ok(vec![empty])
}

fn mount_stacked(folder: &Folder, layers: &[PathBuf], nodev: bool) -> Result<(), Errno> {
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for layer in layers {
        fsconfig_set_string(&overlay, "lowerdir+", layer)?;
    }
    fsconfig_set_string(&overlay, "upperdir", folder.upper())?;
    fsconfig_set_string(&overlay, "workdir", folder.work())?;
    // What a container wrote outside its mounts never survives a reboot, so it need not be forced to the disk.
    fsconfig_set_flag(&overlay, "volatile")?;
    fsconfig_create(&overlay)?;
    let attributes = if nodev { MountAttrFlags::MOUNT_ATTR_NODEV } else { MountAttrFlags::empty() };
    let mounted = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    move_mount(&mounted, "", CWD, folder.root(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// The same with one text of options, as kernels have always taken it: a page of text at most.
fn mount_at_once(folder: &Folder, layers: &[PathBuf], nodev: bool) -> io::Result<()> {
    let options = overlay_options(layers, &folder.upper(), &folder.work())?;
    let flags = if nodev { MountFlags::NODEV } else { MountFlags::empty() };
    rustix::mount::mount("overlay", folder.root(), "overlay", flags, options.as_c_str())?;
    Ok(())
}

fn overlay_options(layers: &[PathBuf], upper: &Path, work: &Path) -> io::Result<CString> {
    // A colon ends a layer, a comma ends an option, a backslash takes away such meanings.
    let escaped = |path: &Path| path.as_os_str().as_bytes().iter().flat_map(|byte| escape(*byte)).collect::<Vec<u8>>();
    let lower: Vec<Vec<u8>> = layers.iter().map(|layer| escaped(layer)).collect();
    let parts = [b"lowerdir=".to_vec(), lower.join(&b':'), b",upperdir=".to_vec(), escaped(upper), b",workdir=".to_vec(), escaped(work)];
    CString::new([parts.concat(), b",volatile".to_vec()].concat()).map_err(io::Error::other)
}

fn escape(byte: u8) -> Vec<u8> {
    if b":,\\".contains(&byte) { vec![b'\\', byte] } else { vec![byte] }
}

/// The container's account files; a missing, huge or odd one counts as empty.
pub(super) fn accounts(root: BorrowedFd<'_>) -> Accounts {
    Accounts { passwd: read_text(root, "etc/passwd"), group: read_text(root, "etc/group") }
}

fn read_text(root: BorrowedFd<'_>, path: &str) -> String {
    // Not blocking: the image may have put a pipe there.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Ok(fd) = open_in(root, path, flags) else {
        return String::new();
    };
    if !fstat(&fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile) {
        return String::new();
    }
    let mut bytes = Vec::new();
    match File::from(fd).take(MAX_ACCOUNT_FILE).read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// Makes a directory inside the root where it is missing, as docker does for a working directory.
pub(super) fn ensure_dir(root: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    let mut reached = String::new();
    let mut parent = root.try_clone_to_owned()?;
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        reached.push('/');
        reached.push_str(part);
        let next = match open_dir(root, &reached) {
            Err(Errno::NOENT) => {
                mkdirat(&parent, part, Mode::from_raw_mode(0o755))?;
                open_dir(root, &reached)?
            }
            other => other?,
        };
        parent = next;
    }
    Ok(())
}

fn open_dir(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open_in(root, path, flags)
}

/// Opens a path with the root as its root. Where it leads up (`..`) while anything is mounted or renamed on the machine, the kernel cannot
/// be sure that it stays inside, and says so: then it is asked again.
fn open_in(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let open = || openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS);
    (1..TRIES).map(|_| open()).find(|result| !matches!(result, Err(Errno::AGAIN))).unwrap_or_else(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_odd_paths_are_escaped() {
        let layers = [PathBuf::from("/a:b"), PathBuf::from("/c,d")];
        let options = overlay_options(&layers, Path::new("/u"), Path::new("/w\\x")).unwrap();
        assert_eq!(options.to_str().unwrap(), r"lowerdir=/a\:b:/c\,d,upperdir=/u,workdir=/w\\x,volatile");
    }
}
