//! What the cluster gives out of its own: numbers to nodes, addresses and ingress ports to services, and blocks to whoever needs addresses.
//!
//! Tasks get their addresses together with their node, from schedule, out of the same [`pools`]. What is given stays: nothing moves while
//! its holder wants it. Whether a wish makes sense was judged before, by `validate`; what cannot be had is said in the service's endpoint.

mod blocks;
mod endpoints;
mod numbers;
pub(crate) mod pools;
pub(crate) mod ports;

use crate::draft::Draft;

/// Looks at nodes without a number, at blocks of nodes that are gone, and at services that changed or lack something.
pub(crate) fn step(draft: &mut Draft<'_>) {
    numbers::give(draft);
    draft.with_pools(|draft, pools| {
        blocks::release(draft, pools);
        endpoints::settle(draft, pools);
    });
}

#[cfg(test)]
mod tests;
