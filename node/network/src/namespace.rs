//! Network namespaces as files: made on a throw-away thread (a netlink socket and `unshare` belong to the thread's namespace, never to a
//! worker of the async runtime), kept alive by a bind mount below the data directory, gone with it.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::NetworkError;
use crate::link::{self, Plug};

/// Makes a namespace at `path` with its own loopback and an `eth0` whose other end is in the caller's namespace.
///
/// # Errors
/// When the kernel refuses a step; nothing is left then.
pub async fn create(path: PathBuf, plug: Plug) -> Result<(), NetworkError> {
    let (done, result) = tokio::sync::oneshot::channel();
    let spawned = std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
        let outcome = build(&path, &plug);
        if outcome.is_err() {
            remove(&path);
        }
        let _ = done.send(outcome);
    });
    spawned.map_err(NetworkError::kernel("starting a thread for a network namespace"))?;
    result.await.map_err(NetworkError::kernel("making a network namespace"))?
}

fn build(path: &Path, plug: &Plug) -> Result<(), NetworkError> {
    let host = File::open("/proc/thread-self/ns/net").map_err(NetworkError::file("opening the host's network namespace"))?;
    File::create(path).map_err(NetworkError::file("making the file of a network namespace"))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::kernel("making a network namespace"))?;
    let none: Option<&str> = None;
    mount(Some("/proc/thread-self/ns/net"), path, none, MsFlags::MS_BIND, none)
        .map_err(NetworkError::kernel("keeping a network namespace"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(NetworkError::kernel("starting a runtime for a network namespace"))?;
    runtime.block_on(link::plug(plug, host.as_raw_fd()))
}

/// Whether the file is a live namespace: after a reboot it is an empty file.
#[must_use]
pub fn is_alive(path: &Path) -> bool {
    /// Magic number of nsfs (`linux/magic.h`).
    const NSFS: i64 = 0x6e73_6673;
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == NSFS)
}

/// Ends a namespace and removes its file. Its links vanish with it, a little later.
pub fn remove(path: &Path) {
    while umount2(path, MntFlags::MNT_DETACH).is_ok() {}
    let _ = fs::remove_file(path);
}
