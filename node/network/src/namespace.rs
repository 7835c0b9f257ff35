//! Network namespaces as files: made on a throw-away thread (`unshare` changes the thread for good, so never a worker of the async
//! runtime), kept alive by a bind mount below the data directory, gone with it.
//!
//! What is done inside goes over a netlink socket that the thread made there: a socket stays in the namespace where it was born.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::Handle;

use crate::NetworkError;

/// Makes an empty namespace at `path`, and gives a handle to its inside. While the handle lives, so does the namespace.
///
/// # Errors
/// When the kernel refuses a step; nothing is left then.
pub(crate) async fn create(path: PathBuf) -> Result<Handle, NetworkError> {
    on_a_thread(move || {
        let result = make(&path).and_then(|()| connect());
        if result.is_err() {
            remove(&path);
        }
        result
    })
    .await
}

/// A handle to the inside of a namespace.
///
/// # Errors
/// When it is none, or the kernel refuses.
pub(crate) async fn open(path: PathBuf) -> Result<Handle, NetworkError> {
    on_a_thread(move || {
        let file = File::open(&path).map_err(NetworkError::file("opening a network namespace"))?;
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET).map_err(NetworkError::kernel("entering a network namespace"))?;
        connect()
    })
    .await
}

async fn on_a_thread(work: impl FnOnce() -> Result<Handle, NetworkError> + Send + 'static) -> Result<Handle, NetworkError> {
    let (done, result) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let spawned = std::thread::Builder::new().name("netns".to_owned()).spawn(move || {
        // The socket is made here and served there.
        let _entered = runtime.enter();
        let _ = done.send(work());
    });
    spawned.map_err(NetworkError::kernel("starting a thread for a network namespace"))?;
    result.await.map_err(NetworkError::kernel("making a network namespace"))?
}

fn connect() -> Result<Handle, NetworkError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::kernel("opening netlink in a namespace"))?;
    tokio::spawn(connection);
    Ok(handle)
}

fn make(path: &Path) -> Result<(), NetworkError> {
    File::create(path).map_err(NetworkError::file("making the file of a network namespace"))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::kernel("making a network namespace"))?;
    let none: Option<&str> = None;
    mount(Some("/proc/thread-self/ns/net"), path, none, MsFlags::MS_BIND, none).map_err(NetworkError::kernel("keeping a network namespace"))
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
