//! Prepared namespaces: a few always wait, so that a start does not wait for the kernel. They have everything but addresses.

use super::*;
use crate::places::OVERHEAD;
use crate::{link, namespace};
use std::os::fd::AsRawFd as _;

/// Namespaces that wait for a container.
const PREPARED: usize = 4;
/// The largest packet of containers where the host's is not known yet.
const USUAL_MTU: u32 = 1500 - OVERHEAD;

/// A namespace that waits.
pub(super) struct Prepared {
    pub(super) index: u32,
    /// Reaches its inside.
    pub(super) inside: rtnetlink::Handle,
}

impl HostNetwork {
    /// Makes one more namespace and marks its number used.
    pub(super) async fn prepare(&self, state: &mut State) -> Result<Prepared, NetworkError> {
        // Numbers go round: a link that is still on its way out does not stand in a new one's.
        let mut index = state.last;
        loop {
            index = if index >= 0xf_ffff { 1 } else { index + 1 };
            if state.used.insert(index) {
                break;
            }
        }
        state.last = index;
        let made = self.make(index, mtu(state)).await;
        match made {
            Ok(inside) => Ok(Prepared { index, inside }),
            Err(error) => {
                self.destroy(state, index).await;
                Err(error)
            }
        }
    }

    async fn make(&self, index: u32, mtu: u32) -> Result<rtnetlink::Handle, NetworkError> {
        let inside = namespace::create(self.netns(index)).await?;
        self.plug(&inside, index, mtu).await?;
        Ok(inside)
    }

    pub(super) async fn plug(&self, inside: &rtnetlink::Handle, index: u32, mtu: u32) -> Result<(), NetworkError> {
        link::plug(inside, &self.link(index), mtu, self.shared.host.as_raw_fd()).await?;
        link::raise(&self.shared.handle, &self.link(index), mtu).await
    }

    /// Ends a namespace and its link, and gives the number back.
    pub(super) async fn destroy(&self, state: &mut State, index: u32) {
        link::lower(&self.shared.handle, &self.link(index)).await;
        namespace::remove(&self.netns(index));
        state.used.remove(&index);
    }

    /// Prepares namespaces in the background until enough wait.
    pub(super) fn refill(&self) {
        let network = self.clone();
        tokio::spawn(async move {
            loop {
                let mut state = network.shared.state.lock().await;
                if state.closed || state.prepared.len() >= PREPARED {
                    return;
                }
                match network.prepare(&mut state).await {
                    Ok(prepared) => state.prepared.insert(0, prepared),
                    Err(error) => {
                        tracing::warn!(%error, "no network namespace could be prepared");
                        return;
                    }
                }
            }
        });
    }

    pub(super) fn link(&self, index: u32) -> String {
        format!("{}{index:x}", self.shared.places.links)
    }

    pub(super) fn netns(&self, index: u32) -> PathBuf {
        self.shared.config.dir.join("netns").join(index.to_string())
    }
}

/// The largest packet of containers.
pub(super) fn mtu(state: &State) -> u32 {
    state.underlay.as_ref().map_or(USUAL_MTU, |underlay| underlay.mtu.saturating_sub(OVERHEAD))
}
