//! Lines of `service history`.

use std::collections::BTreeMap;

use cluster_types::{Revision, Service, Timestamp, Version};
use serde_json::{Value, json};

use super::Row;
use crate::render::age;

/// A revision of a service.
#[derive(Debug, Clone)]
pub(crate) struct RevisionRow {
    revision: Revision,
    image: String,
    current: bool,
    now: Timestamp,
}

impl RevisionRow {
    /// The lines of a service's history, the newest first. A revision that repeats another has its image.
    pub(crate) fn rows(service: &Service, images: &BTreeMap<Version, String>, now: Timestamp) -> Vec<Self> {
        let image = |revision: &Revision| {
            let repeats = |number: u64| service.history.iter().find(|other| other.number == number);
            let repeated = revision.restores.and_then(repeats);
            let known = std::iter::once(revision).chain(repeated).find_map(|revision| images.get(&revision.spec_version));
            known.cloned().unwrap_or_default()
        };
        let row = |revision: &Revision| Self {
            revision: revision.clone(),
            image: image(revision),
            current: revision.spec_version == service.spec_version,
            now,
        };
        service.history.iter().rev().map(row).collect()
    }
}

impl Row for RevisionRow {
    const HEADINGS: &'static [&'static str] = &["REVISION", "WHEN", "BY", "IMAGE", "RESTORES", "MESSAGE"];

    fn id(&self) -> String {
        self.revision.number.to_string()
    }

    fn cells(&self, _: bool) -> Vec<String> {
        let Revision { number, at, author, restores, .. } = &self.revision;
        vec![
            format!("{number}{}", if self.current { " *" } else { "" }),
            age::ago(*at, self.now),
            author.by.clone(),
            self.image.clone(),
            restores.map(|number| number.to_string()).unwrap_or_default(),
            author.message.lines().collect::<Vec<_>>().join("; "),
        ]
    }

    fn json(&self) -> Value {
        let Revision { number, spec_version, at, author, restores } = &self.revision;
        json!({
            "Revision": number,
            "SpecVersion": spec_version.0,
            "CreatedAt": age::rfc3339(*at),
            "By": author.by,
            "Message": author.message,
            "Image": self.image,
            "Restores": restores,
            "Current": self.current,
        })
    }
}
