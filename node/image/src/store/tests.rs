//! Tests of the store: what survives, what is shared, what is swept away.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tempfile::TempDir;

use super::*;
use crate::fixture::{Small, Tar, docker_archive, layer};

fn open() -> (TempDir, ImageStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = ImageStore::open(&dir.path().join("images")).unwrap();
    (dir, store)
}

async fn import(store: &ImageStore, name: &str, layers: &[Vec<u8>]) -> Image {
    store.import(Cursor::new(docker_archive(name, layers)), None).await.unwrap().remove(0)
}

fn count(store: &ImageStore, folder: &str) -> usize {
    fs::read_dir(store.inner.disk.root().join(folder)).unwrap().count()
}

#[tokio::test]
async fn an_image_is_found_by_name_digest_id_and_beginning() {
    let (_dir, store) = open();
    let image = import(&store, "shop/web:1", &[layer("a")]).await;
    let other = import(&store, "other", &[layer("b")]).await;
    let hex = image.id.strip_prefix("sha256:").unwrap();
    let by_digest = format!("anything@{}", image.digest);
    for reference in ["shop/web:1", "docker.io/shop/web:1", &image.id, hex, &hex[..12], &image.digest, &by_digest] {
        assert_eq!(store.resolve(reference).as_ref(), Some(&image), "{reference}");
    }
    for reference in ["shop/web", "shop/web:2", "", "../index.json", "sha256:", &"f".repeat(64)] {
        assert_eq!(store.resolve(reference), None, "{reference}");
    }
    assert_eq!(store.resolve("other"), Some(other));
}

#[tokio::test]
async fn a_beginning_that_fits_several_images_is_named_as_such() {
    let (_dir, store) = open();
    let mut first_digits = std::collections::BTreeSet::new();
    for number in 0.. {
        let image = import(&store, &format!("web:{number}"), &[layer(&number.to_string())]).await;
        let digit = image.id.chars().nth("sha256:".len()).unwrap();
        if !first_digits.insert(digit) {
            let error = store.hold(&digit.to_string()).unwrap_err();
            assert!(matches!(error, ImageError::Ambiguous(_)), "{error}");
            return;
        }
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_private() {
    let (dir, store) = open();
    let image = import(&store, "web", &[layer("a"), layer("b")]).await;
    let root = dir.path().join("images");
    assert!(matches!(ImageStore::open(&root), Err(ImageError::Locked(_))), "two processes must not share a store");
    drop(store);
    let store = ImageStore::open(&root).unwrap();
    assert_eq!(store.list(), [image]);
    for folder in ["", "blobs", "layers", "tmp"] {
        assert_eq!(fs::metadata(root.join(folder)).unwrap().permissions().mode() & 0o777, 0o700, "{folder}");
    }
}

#[tokio::test]
async fn layers_are_shared_and_go_with_their_last_image() {
    let (_dir, store) = open();
    let first = import(&store, "first", &[layer("base"), layer("one")]).await;
    let second = import(&store, "second", &[layer("base"), layer("two")]).await;
    assert_eq!((first.layers[0] == second.layers[0], count(&store, "layers")), (true, 3));
    let removed = store.remove("first").await.unwrap();
    assert_eq!(removed, Removed { names: first.names, digests: vec![first.digest] });
    assert_eq!((store.list(), count(&store, "layers"), count(&store, "tmp")), (vec![second.clone()], 2, 0));
    assert_eq!(fs::read_to_string(second.layers[0].join("etc/motd")).unwrap(), "base");
    store.remove(&second.id).await.unwrap();
    assert_eq!((count(&store, "layers"), count(&store, "blobs/sha256")), (0, 0));
}

#[tokio::test]
async fn a_used_image_stays() {
    let (_dir, store) = open();
    let image = import(&store, "web", &[layer("a")]).await;
    let (one, two) = (store.hold("web").unwrap(), store.hold(&image.id).unwrap());
    drop(one);
    let error = store.remove("web").await.unwrap_err();
    assert!(matches!(error, ImageError::InUse { users: 1, .. }), "{error}");
    assert_eq!(store.list(), [image]);
    drop(two);
    assert!(store.remove("web").await.is_ok());
}

#[tokio::test]
async fn a_name_goes_to_the_newer_image_and_removing_one_of_two_names_keeps_the_image() {
    let (_dir, store) = open();
    let old = import(&store, "web", &[layer("old")]).await;
    let new = import(&store, "web", &[layer("new")]).await;
    assert_eq!(store.resolve("web").unwrap().id, new.id);
    assert_eq!(store.resolve(&old.id).unwrap().names, Vec::<String>::new(), "containers may still use the old one");
    import(&store, "web:stable", &[layer("new")]).await;
    let removed = store.remove("web").await.unwrap();
    assert_eq!(removed, Removed { names: vec!["docker.io/library/web:latest".to_owned()], digests: vec![] });
    assert_eq!(store.resolve("web:stable").unwrap().id, new.id);
    assert!(matches!(store.remove("web").await, Err(ImageError::Missing(_))));
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept_away_and_what_is_not_ours_is_left() {
    let (dir, store) = open();
    let image = import(&store, "web", &[layer("a")]).await;
    drop(store);
    let root = dir.path().join("images");
    let stray = "0".repeat(64);
    fs::create_dir_all(root.join("layers").join(&stray).join("etc")).unwrap();
    fs::write(root.join("blobs/sha256").join(&stray), "half").unwrap();
    fs::create_dir_all(root.join("tmp/x/y")).unwrap();
    fs::write(root.join("layers/README"), "an admin's note").unwrap();
    let store = ImageStore::open(&root).unwrap();
    assert_eq!((store.list(), count(&store, "layers"), count(&store, "tmp")), (vec![image], 2, 0));
    assert!(!root.join("blobs/sha256").join(&stray).exists());
}

#[tokio::test]
async fn an_image_whose_layer_is_lost_is_forgotten_and_can_come_again() {
    let (dir, store) = open();
    let image = import(&store, "web", &[layer("a")]).await;
    drop(store);
    fs::remove_dir_all(&image.layers[0]).unwrap();
    let store = ImageStore::open(&dir.path().join("images")).unwrap();
    assert_eq!(store.list(), []);
    assert_eq!(import(&store, "web", &[layer("a")]).await, image);
    assert!(image.layers[0].join("etc/motd").exists());
}

#[tokio::test]
async fn a_damaged_index_is_an_error_that_says_what_to_do() {
    let (dir, store) = open();
    drop(store);
    let root = dir.path().join("images");
    for text in ["{", r#"{"version":99,"images":{},"names":{},"layers":{}}"#] {
        fs::write(root.join("index.json"), text).unwrap();
        let error = ImageStore::open(&root).unwrap_err().to_string();
        assert!(error.contains("import or pull the images again"), "{error}");
    }
}

/// A layer that takes something from below is not reused on top of other layers.
#[tokio::test]
async fn a_layer_that_depends_on_those_below_is_unpacked_for_each() {
    let (_dir, store) = open();
    let linking = Tar::new().link("same", "etc/motd").done();
    let one = import(&store, "one", &[layer("one"), linking.clone()]).await;
    let two = import(&store, "two", &[layer("two"), linking.clone()]).await;
    assert_ne!(one.layers[1], two.layers[1]);
    for (image, text) in [(&one, "one"), (&two, "two")] {
        assert_eq!(fs::read_to_string(image.layers[1].join("same")).unwrap(), text);
    }
    let again = import(&store, "three", &[layer("one"), linking]).await;
    assert_eq!(again.layers, one.layers);
}

#[tokio::test]
async fn a_layer_that_comes_twice_is_stacked_once() {
    let (_dir, store) = open();
    let image = import(&store, "web", &[layer("a"), layer("b"), layer("a")]).await;
    assert_eq!(image.layers.len(), 2, "overlayfs refuses the same folder twice");
    assert_eq!(fs::read_to_string(image.layers[1].join("etc/motd")).unwrap(), "a", "the upper one counts");
}

#[tokio::test]
async fn concurrent_imports_of_images_that_share_layers_all_succeed() {
    let (_dir, store) = open();
    let names: Vec<_> = (0..6).map(|number| format!("web:{number}")).collect();
    let layers: Vec<_> = (0..6).map(|number| vec![layer("base"), layer(&number.to_string())]).collect();
    let imports = names.iter().zip(&layers).map(|(name, layers)| import(&store, name, layers));
    let removes = (0..6).map(|_| store.remove("absent"));
    let (images, _) = futures::future::join(futures::future::join_all(imports), futures::future::join_all(removes)).await;
    assert_eq!((images.len(), store.list().len(), count(&store, "layers")), (6, 6, 7));
}

/// The stack that the store gives is one that the kernel takes, and shows what the image says.
#[tokio::test]
async fn overlayfs_shows_the_image() {
    let (dir, store) = open();
    let base = Tar::new().folder("etc/").file("etc/motd", "base").file("etc/gone", "x").folder("old/").file("old/x", "").done();
    let top = Tar::new()
        .folder("etc/")
        .file("etc/.wh.gone", "")
        .folder("old/")
        .file("old/.wh..wh..opq", "")
        .file("old/y", "")
        .link("etc/same", "etc/motd")
        .done();
    let image = import(&store, "web", &[base, top]).await;
    let view = dir.path().join("view");
    fs::create_dir(&view).unwrap();
    let lower: Vec<_> = image.layers.iter().rev().map(|layer| layer.to_str().unwrap()).collect();
    let script =
        format!("mount -t overlay overlay -o lowerdir={} {1} && cd {1} && ls etc old && cat etc/same", lower.join(":"), view.display());
    let shown = std::process::Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "etc:\nmotd\nsame\n\nold:\ny\nbase");
}

#[tokio::test]
async fn a_full_disk_leaves_no_partial_image_and_space_that_returns_is_used() {
    let disk = Small::new();
    let store = ImageStore::open(&disk.path().join("images")).unwrap();
    let kept = import(&store, "kept", &[layer("a")]).await;
    let big = docker_archive("big", &[Tar::new().file("big", vec![7; 1 << 20]).done()]);
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 2 << 20]).unwrap();
    let error = store.import(Cursor::new(big.clone()), None).await.unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!((store.list(), count(&store, "layers"), count(&store, "tmp")), (vec![kept], 1, 0));
    fs::remove_file(filler).unwrap();
    assert!(store.import(Cursor::new(big), None).await.is_ok());
}

#[tokio::test]
async fn an_image_can_be_removed_from_a_full_disk() {
    let disk = Small::new();
    let store = ImageStore::open(&disk.path().join("images")).unwrap();
    let image = import(&store, "web", &[Tar::new().file("big", vec![7; 1 << 20]).done()]).await;
    let mut filler = fs::File::create(disk.path().join("filler")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(1), &mut filler).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(store.remove("web").await.unwrap().digests, [image.digest]);
    drop(store);
    let store = ImageStore::open(&disk.path().join("images")).unwrap();
    assert_eq!((store.list(), count(&store, "layers"), count(&store, "blobs/sha256")), (vec![], 0, 0));
}

/// Where the process that is to be killed finds its store.
const CRASH: &str = "CLUSTER_IMAGE_CRASH_TEST";

/// An archive of three layers with many files, all of them saying `number`.
fn many_files(number: u32) -> Vec<u8> {
    let layer = |part: u32| {
        let file = |tar: Tar, name| tar.file(&format!("{part}-{name}"), format!("{number}"));
        (0..60).fold(Tar::new().folder("d/"), file).done()
    };
    docker_archive("web", &[layer(0), layer(1), layer(2)])
}

/// Imports and removes until it is killed.
fn import_until_killed(dir: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = ImageStore::open(dir).unwrap();
    for number in 0.. {
        let image = runtime.block_on(store.import(Cursor::new(many_files(number)), None)).unwrap().remove(0);
        for other in store.list().iter().filter(|other| other.id != image.id) {
            runtime.block_on(store.remove(&other.id)).unwrap();
        }
    }
}

/// Changes with each version of the index.
fn stamp(root: &Path) -> Option<(u64, i64)> {
    let found = fs::metadata(root.join("index.json")).ok()?;
    Some((found.ino(), found.mtime_nsec()))
}

#[test]
fn a_store_that_was_killed_at_any_moment_has_whole_images_only() {
    if let Some(dir) = std::env::var_os(CRASH) {
        return import_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("images");
    let seed = std::process::id();
    let mut seen = 0;
    for round in 0..15_u32 {
        let before = stamp(&root);
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["store::tests::a_store_that_was_killed_at_any_moment_has_whole_images_only", "--exact"]).env(CRASH, &root);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        while stamp(&root) == before {
            assert_eq!(child.try_wait().unwrap(), None, "the importing process ended by itself");
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        // From here on the moment is random: that is what is tested.
        let wait = u64::from(seed.wrapping_mul(2_654_435_761).wrapping_add(round.wrapping_mul(40_503)) % 150);
        std::thread::park_timeout(std::time::Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = ImageStore::open(&root).unwrap();
        assert_eq!(count(&store, "tmp"), 0);
        for image in store.list() {
            seen += 1;
            let texts = image.layers.iter().flat_map(|layer| fs::read_dir(layer).unwrap().map(|entry| entry.unwrap().path()));
            let texts: Vec<_> = texts.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect();
            assert_eq!((texts.len(), texts.iter().all(|text| *text == texts[0])), (180, true), "seed {seed}, round {round}");
        }
        let used: std::collections::BTreeSet<_> = store.list().into_iter().flat_map(|image| image.layers).collect();
        assert_eq!(count(&store, "layers"), used.len(), "seed {seed}, round {round}");
    }
    assert!(seen >= 15, "each round must find an image, or it has shown nothing");
}
