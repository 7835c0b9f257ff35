//! One line of a list: its columns, and its JSON object with the keys of the docker client.

mod image;
mod network;
mod node;
mod ports;
mod revision;
mod service;
mod task;

pub(crate) use image::ImageRow;
pub(crate) use network::{DRIVER as NETWORK_DRIVER, SCOPE as NETWORK_SCOPE};
pub(crate) use node::{availability as node_availability, state as node_state};
pub(crate) use ports::{ports, word as protocol};
pub(crate) use revision::RevisionRow;
pub(crate) use service::{ServiceRow, state as service_state, warning as service_warning};
pub(crate) use task::{TaskRow, error as task_error};

/// Something that a list can print.
pub(crate) trait Row {
    /// Headings of the columns.
    const HEADINGS: &'static [&'static str];

    /// Headings of columns that are left out when no row has anything there.
    const OPTIONAL: &'static [&'static str] = &[];

    /// Its whole id.
    fn id(&self) -> String;

    /// Its columns.
    fn cells(&self, no_trunc: bool) -> Vec<String>;

    /// Its object. Ids are whole here.
    fn json(&self) -> serde_json::Value;

    /// Lines that stand below it in a table.
    fn below(&self, _no_trunc: bool) -> Vec<String> {
        Vec::new()
    }
}

/// The id as tables show it.
fn short(id: &str, no_trunc: bool) -> String {
    if no_trunc { id.to_owned() } else { id.chars().take(12).collect() }
}

/// First letter in capitals: docker's states.
pub(crate) fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
