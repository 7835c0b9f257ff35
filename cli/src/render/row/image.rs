//! Lines of `image ls`: one for each name of an image.

use cluster_api::pb;
use cluster_types::bytes::print_bytes;
use cluster_types::{ImageRef, Timestamp};
use serde_json::{Value, json};

use super::Row;
use crate::render::age;

/// An image under one of its names.
#[derive(Debug, Clone)]
pub(crate) struct ImageRow {
    repository: String,
    tag: String,
    digest: String,
    id: String,
    created: Timestamp,
    size: u64,
    now: Timestamp,
}

impl ImageRow {
    /// The lines of some images, by name.
    pub(crate) fn rows(images: Vec<pb::Image>, now: Timestamp) -> Vec<Self> {
        let mut rows: Vec<Self> = images.iter().flat_map(|image| Self::of(image, now)).collect();
        rows.sort_by(|a, b| (&a.repository, &a.tag, &a.id).cmp(&(&b.repository, &b.tag, &b.id)));
        rows
    }

    fn of(image: &pb::Image, now: Timestamp) -> Vec<Self> {
        let row = |(repository, tag)| Self {
            repository,
            tag,
            digest: image.digest.clone(),
            id: image.id.clone(),
            created: Timestamp(image.created_ms),
            size: image.size,
            now,
        };
        let none = || "<none>".to_owned();
        if image.names.is_empty() {
            return vec![row((none(), none()))];
        }
        image.names.iter().map(|name| row(split(name))).collect()
    }

    /// `web:1.9`, as messages name it.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// Repository and tag of a name, short as users type it.
fn split(name: &str) -> (String, String) {
    let familiar = name.parse::<ImageRef>().map_or_else(|_| name.to_owned(), |name| name.familiar());
    let named = familiar.split('@').next().unwrap_or(&familiar);
    match named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, tag)) => (repository.to_owned(), tag.to_owned()),
        None => (named.to_owned(), "<none>".to_owned()),
    }
}

impl Row for ImageRow {
    const HEADINGS: &'static [&'static str] = &["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        let id = if no_trunc { self.id.clone() } else { self.id.trim_start_matches("sha256:").chars().take(12).collect() };
        vec![self.repository.clone(), self.tag.clone(), id, age::ago(self.created, self.now), print_bytes(self.size)]
    }

    fn json(&self) -> Value {
        json!({
            "ID": self.id,
            "Repository": self.repository,
            "Tag": self.tag,
            "Digest": self.digest,
            "CreatedAt": age::rfc3339(self.created),
            "CreatedSince": age::ago(self.created, self.now),
            "Size": print_bytes(self.size),
        })
    }
}
