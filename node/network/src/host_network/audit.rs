//! Looks every two seconds whether the kernel is still where the view wants it, and puts it right: administrators flush rules, other
//! programs restart networks, interfaces come and go (failures E14).

use std::sync::Weak;
use std::time::Duration;

use super::settle::words;
use super::*;
use crate::fabric::difference;
use crate::sysctl;

const INTERVAL: Duration = Duration::from_secs(2);

impl HostNetwork {
    /// Audits until the network is closed or dropped.
    pub(super) fn start_audit(&self) {
        let weak: Weak<Shared> = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(shared) = weak.upgrade() else { return };
                let network = Self { shared };
                let mut state = network.shared.state.lock().await;
                if state.closed {
                    return;
                }
                network.audit(&mut state).await;
                drop(state);
                if let Err(error) = network.remember_rules().await {
                    tracing::debug!(%error, "the rules could not be listed");
                }
            }
        });
    }

    /// Puts right what is not as it should be, and tells.
    pub(super) async fn audit(&self, state: &mut State) {
        let mut repaired = Vec::new();
        let result = self.repair(state, &mut repaired).await;
        let was_settled = std::mem::replace(&mut state.settled, result.is_ok());
        let trouble = result.err().map(|error| error.to_string()).or_else(|| self.missing(state));
        let words = repaired.join(", ");
        if !words.is_empty() && was_settled {
            tracing::warn!(repaired = words, "something else had changed the network of this host; it was put right");
        }
        self.tell(state, |report| {
            report.trouble = trouble;
            if !words.is_empty() && was_settled {
                report.repairs += 1;
                report.repaired = Some(words);
            }
        });
    }

    async fn repair(&self, state: &mut State, repaired: &mut Vec<String>) -> Result<(), NetworkError> {
        let (handle, places) = (&self.shared.handle, &self.shared.places);
        repaired.extend(sysctl::settle_host()?.into_iter().map(ToOwned::to_owned));
        let mut seen = kernel::see(handle, places).await?;
        if self.settle_links(state, &seen, repaired).await? {
            seen = kernel::see(handle, places).await?;
        }
        let wanted = self.wanted_fabric(state);
        if seen.fabric.device != wanted.device {
            repaired.push("the overlay's device".to_owned());
            kernel::settle_device(handle, places, &seen, wanted.device.as_ref()).await?;
            sysctl::settle_link(&places.device);
            seen = kernel::see(handle, places).await?;
        }
        let steps = difference(&seen.fabric.entries, &wanted.entries);
        repaired.extend(words(&steps));
        kernel::carry_out(handle, places, &steps).await?;
        state.fabric = wanted;
        state.known = true;
        if state.ingress.settle(&self.view()) {
            self.write_rules(state).await?;
        }
        if self.audit_rules(state).await? {
            repaired.push("the rules".to_owned());
        }
        Ok(())
    }

    /// The interface to other hosts may have changed, and containers may have lost their links. Says whether links changed.
    async fn settle_links(&self, state: &mut State, seen: &kernel::Seen, repaired: &mut Vec<String>) -> Result<bool, NetworkError> {
        let underlay = self.underlay().and_then(|address| seen.underlay(address));
        // While the address is away, the overlay stays as it is: interfaces restart.
        if underlay.is_some() && underlay != state.underlay {
            state.underlay = underlay;
        }
        if let Some(underlay) = &state.underlay
            && sysctl::settle_underlay(&underlay.interface)
        {
            repaired.push("the filter of reverse paths".to_owned());
        }
        if !seen.has_address(RESOLVER) {
            repaired.push("the resolver's address".to_owned());
            kernel::add_resolver(&self.shared.handle).await?;
        }
        let mut changed = false;
        let links: Vec<(TaskId, String)> = state.attached.iter().map(|(task, record)| (*task, self.link(record.index))).collect();
        for (task, link) in links {
            match seen.links.get(&link) {
                Some(found) if found.up => continue,
                Some(_) => crate::link::raise(&self.shared.handle, &link, pool::mtu(state)).await?,
                None => self.plug_again(state, task).await?,
            }
            repaired.push(format!("the link of task {}", task.short()));
            changed = true;
        }
        Ok(changed)
    }
}
