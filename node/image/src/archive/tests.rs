//! Tests of whole archives, honest ones and others.

use std::io::Cursor;
use std::path::Path;

use serde_json::json;

use crate::fixture::{self, Tar, docker_archive, layer, oci_archive, pieces};
use crate::{Image, ImageError, ImageStore};

async fn import(dir: &Path, archive: Vec<u8>, name: Option<&str>) -> Result<Vec<Image>, ImageError> {
    ImageStore::open(dir).unwrap().import(Cursor::new(archive), name).await
}

fn motd(image: &Image) -> String {
    let top = image.layers.last().unwrap();
    std::fs::read_to_string(top.join("etc/motd")).unwrap()
}

#[tokio::test]
async fn a_docker_archive_is_imported_plain_and_compressed() {
    let archive = docker_archive("shop/web:1", &[layer("base"), layer("top")]);
    for form in [archive.clone(), fixture::gzip(&archive), zstd::encode_all(&archive[..], 1).unwrap()] {
        let dir = tempfile::tempdir().unwrap();
        let images = import(dir.path(), form, None).await.unwrap();
        let [image] = images.as_slice() else { panic!("{images:?}") };
        assert_eq!(image.names, ["docker.io/shop/web:1"]);
        assert_eq!((image.layers.len(), motd(image), image.size), (2, "top".to_owned(), 7));
        assert_eq!(
            (image.config.cmd.as_slice(), image.config.exposed_ports.as_slice()),
            (["/bin/true".to_owned()].as_slice(), ["80/tcp".to_owned()].as_slice())
        );
    }
}

#[tokio::test]
async fn an_oci_archive_is_imported_under_its_name_or_the_one_given() {
    let pieces = pieces(&[layer("hello")]);
    for (annotations, name, expected) in [
        (json!({"io.containerd.image.name": "docker.io/library/web:2"}), None, vec!["docker.io/library/web:2"]),
        (json!({"org.opencontainers.image.ref.name": "localhost:5000/a/b:3"}), None, vec!["localhost:5000/a/b:3"]),
        (json!({"org.opencontainers.image.ref.name": "latest"}), None, vec![]),
        (json!({"org.opencontainers.image.ref.name": "latest"}), Some("mine:4"), vec!["docker.io/library/mine:4"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let images = import(dir.path(), oci_archive(&annotations, &pieces), name).await.unwrap();
        assert_eq!((images[0].names.clone(), motd(&images[0])), (expected.into_iter().map(str::to_owned).collect(), "hello".to_owned()));
        assert_eq!(images[0].digest, crate::digest::Digest::of(&pieces.manifest).to_string());
    }
}

#[tokio::test]
async fn links_between_members_are_followed_inside_the_archive() {
    let tar = layer("linked");
    let config = fixture::config(std::slice::from_ref(&tar)).to_string();
    let listed = json!([{"Config": "config.json", "RepoTags": null, "Layers": ["b/layer.tar"]}]).to_string();
    let archive =
        Tar::new().file("config.json", &config).file("a.tar", &tar).symlink("b/layer.tar", "../a.tar").file("manifest.json", listed);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(motd(&import(dir.path(), archive.done(), None).await.unwrap()[0]), "linked");
}

/// Each refused archive leaves the store as it was, and says why.
#[tokio::test]
async fn evil_archives_are_refused_with_their_reason() {
    let good = docker_archive("web", &[layer("x")]);
    let bent_layer = bend(oci_archive(&json!({}), &pieces(&[layer("x")])));
    let other = fixture::config(&[layer("another")]).to_string();
    let wrong_diff =
        Tar::new().file("c.json", other).file("l", layer("x")).file("manifest.json", r#"[{"Config":"c.json","Layers":["l"]}]"#);
    let wrong_name = format!("{}.json", "0".repeat(64));
    let saved = json!([{"Config": wrong_name, "Layers": ["l"]}]).to_string();
    let wrong_config =
        Tar::new().file(&wrong_name, fixture::config(&[layer("x")]).to_string()).file("l", layer("x")).file("manifest.json", saved);
    let digest_path = json!({"schemaVersion": 2, "manifests": [{"digest": "sha256:../../../../etc/passwd", "size": 1}]}).to_string();
    let layout = || Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "empty or no tar"),
        ("noise", vec![7; 4096], "cannot be read"),
        ("cut off", good[..good.len() / 2].to_vec(), "cut off"),
        (
            "cut gzip",
            {
                let g = fixture::gzip(&good);
                g[..g.len() / 2].to_vec()
            },
            "refused",
        ),
        ("no manifest", Tar::new().file("x", "y").done(), "neither `oci-layout` nor `manifest.json`"),
        ("climbs out", Tar::new().file("../../evil", "x").done(), "leads out"),
        ("absolute", Tar::new().file("/tmp/evil", "x").done(), "leads out"),
        ("link out", Tar::new().symlink("a", "../../etc/passwd").done(), "link out"),
        ("device", Tar::new().raw(&fixture::header(b"dev", b'3', b"", 0), b"").done(), "neither a file"),
        ("two contents", Tar::new().file("a", "1").file("a", "2").done(), "twice"),
        ("link loop", Tar::new().symlink("manifest.json", "manifest.json").done(), "too many links"),
        ("bent layer", bent_layer, "does not match its digest"),
        ("wrong diff id", wrong_diff.done(), "does not match its digest"),
        ("wrong config name", wrong_config.done(), "does not match its digest"),
        ("digest as path", layout().file("index.json", digest_path).done(), "not a sha256 digest"),
        ("ambiguous", layout().file("index.json", ambiguous()).done(), "ambiguous"),
    ];
    for (case, archive, reason) in cases {
        let outer = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&outer.path().join("store")).unwrap();
        let error = store.import(Cursor::new(archive), None).await.expect_err(case).to_string();
        assert!(error.contains(reason), "{case}: {error}");
        assert_eq!(store.list(), [], "{case}");
        let around: Vec<_> = std::fs::read_dir(outer.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(around, ["store"], "{case}");
        for folder in ["layers", "tmp", "blobs/sha256"] {
            assert_eq!(std::fs::read_dir(outer.path().join("store").join(folder)).unwrap().count(), 0, "{case}: {folder}");
        }
    }
}

/// The archive with one bit of its layer (the only gzip in it) turned over.
fn bend(mut archive: Vec<u8>) -> Vec<u8> {
    let start = archive.windows(3).position(|bytes| bytes == [0x1f, 0x8b, 8]).unwrap();
    archive[start + 20] ^= 1;
    archive
}

fn ambiguous() -> String {
    let pointer = fixture::pointer("", b"x");
    json!({"schemaVersion": 2, "manifests": [pointer], "config": pointer, "layers": [pointer]}).to_string()
}
