//! Of our own: the time of the cluster never goes back, whoever leads and however wrong its wall clock is. Delays and deadlines count on it.

use cluster_types::{Entry, Timestamp};

use super::Found;

#[derive(Default)]
pub(super) struct Time {
    last: Timestamp,
}

impl Time {
    pub(super) fn follow(&mut self, entry: &Entry) -> Found {
        if entry.at < self.last {
            return Err(format!("an entry is stamped {} ms before the one that it follows", self.last.since(entry.at).as_millis()));
        }
        self.last = entry.at;
        Ok(())
    }
}
