//! `cluster network ls`.

use clap::Args;

use crate::client::Client;
use crate::commands::service::ls::labelled;
use crate::failure::Failure;
use crate::model::NetworkView;
use crate::print;
use crate::render::output::ListFlags;
use crate::render::row::{NETWORK_DRIVER, NETWORK_SCOPE};

/// Flags of `network ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    list: ListFlags,
}

/// The filters that it knows.
const FILTERS: &[&str] = &["driver", "id", "label", "name", "scope"];

impl Ls {
    /// Prints the networks by name.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let filters = self.list.filters(FILTERS)?;
        let mut networks = client.networks("").await?;
        networks.retain(|view| filters.iter().all(|(key, values)| values.iter().any(|value| matches(view, key, value))));
        networks.sort_by(|a, b| a.name().cmp(b.name()));
        print::data(&self.list.print(&networks))
    }
}

/// As docker, a part of a network's name is enough.
fn matches(view: &NetworkView, key: &str, value: &str) -> bool {
    match key {
        "driver" => value == NETWORK_DRIVER,
        "id" => view.network.id.to_string().starts_with(value),
        "label" => labelled(&view.network.spec.labels, value),
        "name" => view.name().contains(value),
        "scope" => value == NETWORK_SCOPE,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use crate::render::tests::network;

    #[test]
    fn filters_look_at_what_they_name() {
        let view = network("back");
        let id = view.network.id.to_string();
        for (key, yes, no) in [
            ("driver", "overlay", "bridge"),
            ("id", &id[..5], "zzzzz"),
            ("label", "team=shop", "team=bakery"),
            ("label", "team", "tea"),
            ("name", "ack", "front"),
            ("scope", "swarm", "local"),
        ] {
            assert!(matches(&view, key, yes) && !matches(&view, key, no), "{key}");
        }
    }
}
