//! The images that `deploy/images` makes: always the same bytes, and what they say is what a container gets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster_image::{Image, ImageStore};

/// Runs a script of `deploy/images`; it writes to `out`.
fn make(script: &str, out: &Path) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/images").join(script);
    let done = Command::new(path).arg(out).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Makes an image twice, compares the two, and imports it.
async fn import(script: &str) -> (tempfile::TempDir, Image) {
    let dir = tempfile::tempdir().unwrap();
    let archives: [PathBuf; 2] = [dir.path().join("one.tar"), dir.path().join("two.tar")];
    for archive in &archives {
        make(script, archive);
    }
    assert!(std::fs::read(&archives[0]).unwrap() == std::fs::read(&archives[1]).unwrap(), "{script}: two runs differ");
    let store = ImageStore::open(&dir.path().join("store")).unwrap();
    let image = store.import(File::open(&archives[0]).unwrap(), None).await.unwrap().remove(0);
    assert_eq!(image.names, [format!("docker.io/library/{script}:latest")]);
    (dir, image)
}

#[tokio::test]
async fn busybox_has_its_commands() {
    let (_dir, image) = import("busybox").await;
    assert_eq!(image.config.cmd, ["sh"]);
    for command in ["bin/sh", "bin/sleep", "bin/cat", "usr/bin/env"] {
        assert_eq!(std::fs::read_link(image.layers[0].join(command)).unwrap(), Path::new("/bin/busybox"), "{command}");
    }
}

#[tokio::test]
async fn web_announces_its_port_and_command() {
    let (_dir, image) = import("web").await;
    assert_eq!(
        (image.config.cmd.as_slice(), image.config.exposed_ports.as_slice()),
        (["/bin/serve".to_owned()].as_slice(), ["80/tcp".to_owned()].as_slice())
    );
    assert!(image.layers[0].join("bin/serve").exists());
}

#[tokio::test]
async fn nginx_brings_all_its_libraries() {
    let (_dir, image) = import("nginx").await;
    assert_eq!(image.config.stop_signal.as_deref(), Some("SIGQUIT"));
    let tested = Command::new("chroot").arg(&image.layers[0]).args(["/usr/sbin/nginx", "-v"]).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
}
