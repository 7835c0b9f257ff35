//! Lines of `service history`.

use cluster_types::{Revision, Timestamp};
use serde_json::{Value, json};

use super::Row;
use crate::model::ServiceView;
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
    /// The lines of a service's history, the newest first.
    pub(crate) fn rows(view: &ServiceView, now: Timestamp) -> Vec<Self> {
        let row = |revision: &Revision| Self {
            revision: revision.clone(),
            image: view.images.get(&revision.spec_version).cloned().unwrap_or_default(),
            current: revision.spec_version == view.service.spec_version,
            now,
        };
        view.service.history.iter().rev().map(row).collect()
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
