//! Finds the networks that the flags of `service create` and `service update` name.

use crate::client::Client;
use crate::failure::Failure;
use crate::spec::network::NetworkIds;

/// The ids of networks. The first that does not exist is the error, with those that were perhaps meant.
pub(super) async fn look_up(client: &Client, names: impl Iterator<Item = &str>) -> Result<NetworkIds, Failure> {
    let mut ids = NetworkIds::new();
    for name in names {
        if !ids.contains_key(name) {
            ids.insert(name.to_owned(), client.network(name).await?.network.id);
        }
    }
    Ok(ids)
}
