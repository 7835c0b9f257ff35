//! Layers and archives for the tests, also such as no honest tool would write.

use std::io::Write;

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::platform;

/// A tar in the making. Names are written as they are, evil or not.
pub(crate) struct Tar(Vec<u8>);

/// One header: `name`, `kind` as tar's type byte, and the rest usual.
pub(crate) fn header(name: &[u8], kind: u8, link: &[u8], size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(if kind == b'5' { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(size);
    let raw = header.as_mut_bytes();
    raw[..name.len()].copy_from_slice(name);
    raw[156] = kind;
    raw[157..157 + link.len()].copy_from_slice(link);
    header.set_cksum();
    header
}

impl Tar {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.raw(&header(name.as_bytes(), b'0', b"", content.len() as u64), content)
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.raw(&header(name.as_bytes(), b'5', b"", 0), b"")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(&header(name.as_bytes(), b'2', target.as_bytes(), 0), b"")
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.raw(&header(name.as_bytes(), b'1', target.as_bytes(), 0), b"")
    }

    /// Extended headers for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            text.extend(format!("{length} {key}=").bytes().chain(value.iter().copied()).chain(*b"\n"));
        }
        self.raw(&header(b"pax", b'x', b"", text.len() as u64), &text)
    }

    pub(crate) fn raw(mut self, header: &tar::Header, content: &[u8]) -> Self {
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn done(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A configuration for layers given as uncompressed tars.
pub(crate) fn config(layers: &[Vec<u8>]) -> Value {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    json!({
        "architecture": platform::architecture(), "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": {"Cmd": ["/bin/true"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
}

/// What `docker save` writes of one image.
pub(crate) fn docker_archive(tag: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let config = config(layers).to_string();
    let config_name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    let mut tar = Tar::new().file(&config_name, &config);
    let mut names = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let name = format!("{number}/layer.tar");
        tar = tar.file(&name, layer);
        names.push(name);
    }
    tar.file("manifest.json", json!([{"Config": config_name, "RepoTags": [tag], "Layers": names}]).to_string()).done()
}

/// An image in pieces, its layers compressed: what a registry or an OCI layout holds.
pub(crate) struct Pieces {
    pub(crate) manifest: Vec<u8>,
    /// Configuration and layers.
    pub(crate) blobs: Vec<Vec<u8>>,
}

pub(crate) fn pointer(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()})
}

pub(crate) fn pieces(layers: &[Vec<u8>]) -> Pieces {
    let config = config(layers).to_string().into_bytes();
    let packed: Vec<_> = layers.iter().map(|layer| gzip(layer)).collect();
    let listed: Vec<_> = packed.iter().map(|layer| pointer("application/vnd.oci.image.layer.v1.tar+gzip", layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": pointer("application/vnd.oci.image.config.v1+json", &config), "layers": listed,
    });
    Pieces { manifest: manifest.to_string().into(), blobs: [vec![config], packed].concat() }
}

/// An OCI layout of one image; `annotations` go to its entry in the index.
pub(crate) fn oci_archive(annotations: &Value, pieces: &Pieces) -> Vec<u8> {
    let mut entry = pointer("application/vnd.oci.image.manifest.v1+json", &pieces.manifest);
    entry["annotations"] = annotations.clone();
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let mut tar = Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#).file("index.json", index);
    for blob in pieces.blobs.iter().chain([&pieces.manifest]) {
        tar = tar.file(&format!("blobs/sha256/{}", Digest::of(blob).hex()), blob);
    }
    tar.done()
}

/// A small honest layer.
pub(crate) fn layer(text: &str) -> Vec<u8> {
    Tar::new().folder("etc/").file("etc/motd", text).done()
}

/// A file system of a few megabytes; gone at the end of the test.
pub(crate) struct Small(tempfile::TempDir);

impl Small {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        rustix::mount::mount("tmpfs", dir.path(), "tmpfs", rustix::mount::MountFlags::empty(), c"size=4m").unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH);
    }
}
