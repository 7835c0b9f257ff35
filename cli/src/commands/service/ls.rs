//! `cluster service ls`.

use std::collections::BTreeMap;

use clap::Args;

use crate::client::Client;
use crate::failure::Failure;
use crate::model::ServiceView;
use crate::print;
use crate::render::output::ListFlags;
use crate::render::row::ServiceRow;

/// Flags of `service ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    list: ListFlags,
}

/// The filters that it knows.
const FILTERS: &[&str] = &["id", "name", "label", "mode"];

impl Ls {
    /// Prints the services by name.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let filters = self.list.filters(FILTERS)?;
        let mut services = client.services("").await?;
        services.retain(|view| filters.iter().all(|(key, values)| values.iter().any(|value| matches(view, key, value))));
        services.sort_by(|a, b| a.name().cmp(b.name()));
        let rows: Vec<ServiceRow> = services.into_iter().map(ServiceRow).collect();
        print::data(&self.list.print(&rows))
    }
}

fn matches(view: &ServiceView, key: &str, value: &str) -> bool {
    match key {
        "id" => view.service.id.to_string().starts_with(value),
        "name" => view.name().starts_with(value),
        "label" => labelled(&view.spec().labels, value),
        "mode" => value == view.spec().mode.word(),
        _ => false,
    }
}

/// Whether there is a label `KEY` (an empty value was read), or `KEY=VALUE`.
pub(crate) fn labelled(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    let (key, value) = wanted.split_once('=').map_or((wanted, None), |(key, value)| (key, Some(value)));
    labels.get(key).is_some_and(|found| value.is_none_or(|value| value == found))
}
