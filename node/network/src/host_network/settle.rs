//! Brings the kernel where the view wants it: ports, links and routes, then the rules as one, then what is not needed any more.

use super::*;
use crate::fabric::{self, Operation, desired, difference};
use crate::rules::{Basis, Forward};
use crate::sysctl;

impl HostNetwork {
    /// Brings the kernel where the view wants it.
    pub(super) async fn settle(&self, state: &mut State) -> Result<(), NetworkError> {
        state.settled = false;
        let result = self.try_to_settle(state).await;
        state.settled = result.is_ok();
        let trouble = result.as_ref().err().map(ToString::to_string);
        self.tell(state, |report| report.trouble = trouble.or_else(|| self.missing(state)));
        result
    }

    async fn try_to_settle(&self, state: &mut State) -> Result<(), NetworkError> {
        state.ingress.settle(&self.view());
        if state.underlay.as_ref().map(|underlay| underlay.address) != self.underlay() {
            let seen = kernel::see_links(&self.shared.handle, &self.shared.places).await?;
            state.underlay = self.underlay().and_then(|address| seen.underlay(address));
            if let Some(underlay) = &state.underlay {
                sysctl::settle_underlay(&underlay.interface);
            }
        }
        let wanted = self.wanted_fabric(state);
        // A device that has to be made first, or an unknown kernel: what is there counts, not what was told.
        if !state.known || wanted.device != state.fabric.device {
            self.settle_from_kernel(&wanted).await?;
            state.fabric.entries = kernel::see(&self.shared.handle, &self.shared.places).await?.fabric.entries;
            state.fabric.device = wanted.device.clone();
            state.known = true;
        }
        let steps = difference(&state.fabric.entries, &wanted.entries);
        let (puts, removals): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| matches!(step, Operation::Put(_)));
        let put = kernel::carry_out(&self.shared.handle, &self.shared.places, &puts).await;
        let wrote = self.write_rules(state).await;
        let removed = kernel::carry_out(&self.shared.handle, &self.shared.places, &removals).await;
        state.known = put.is_ok() && removed.is_ok();
        state.fabric = wanted;
        put.and(wrote).and(removed)
    }

    /// Makes the overlay's device.
    async fn settle_from_kernel(&self, wanted: &Fabric) -> Result<(), NetworkError> {
        let seen = kernel::see_links(&self.shared.handle, &self.shared.places).await?;
        kernel::settle_device(&self.shared.handle, &self.shared.places, &seen, wanted.device.as_ref()).await?;
        if wanted.device.is_some() {
            sysctl::settle_link(&self.shared.places.device);
        }
        Ok(())
    }

    /// What the kernel should have beside the rules.
    pub(super) fn wanted_fabric(&self, state: &State) -> Fabric {
        let mut containers = BTreeMap::new();
        for record in state.attached.values() {
            containers.extend(record.attachment.addresses.iter().map(|has| (has.address, self.link(record.index))));
        }
        desired(&self.shared.places, &self.view(), state.underlay.as_ref(), &containers)
    }

    /// Writes the rules as one transaction, if they have to change.
    pub(super) async fn write_rules(&self, state: &mut State) -> Result<(), NetworkError> {
        let basis = self.basis(state);
        let text = state.rules.turn(basis);
        if text.is_empty() {
            return Ok(());
        }
        state.guard = match self.transact(&text).await {
            Err(error) => {
                let whole = state.rules.rules().document();
                if text == whole {
                    return Err(error);
                }
                tracing::warn!(%error, "a change of the rules was refused; all of them are written");
                self.transact(&whole).await?
            }
            Ok(guard) => guard,
        };
        state.rules.written();
        Ok(())
    }

    /// What the rules are made of.
    fn basis(&self, state: &State) -> Basis {
        let attachments = || state.attached.values().map(|record| &record.attachment);
        Basis {
            tag: self.shared.config.tag.clone(),
            view: self.view(),
            attached: attachments().flat_map(|attachment| &attachment.addresses).map(|has| has.address).collect(),
            forwards: attachments().flat_map(forwards).collect(),
            closed: state.ingress.closed().clone(),
        }
    }

    /// Bytes of the whole document of rules.
    pub(crate) async fn document_bytes(&self) -> usize {
        self.shared.state.lock().await.rules.rules().document().len()
    }

    /// What the view wants and this host lacks.
    pub(super) fn missing(&self, state: &State) -> Option<String> {
        crate::rules::desired::own(&self.view())?;
        match self.underlay() {
            None => Some("the address of this host that other hosts reach is not known, or not an IPv4 address".to_owned()),
            Some(address) if state.underlay.is_none() => Some(format!("no interface of this host has its address {address}")),
            Some(_) => None,
        }
    }

    /// Changes the report, if it differs then.
    pub(super) fn tell(&self, state: &State, change: impl FnOnce(&mut NodeNetwork)) {
        self.shared.report.send_if_modified(|report| {
            let old = report.clone();
            report.conflicts = state.ingress.closed().iter().copied().collect();
            change(report);
            *report != old
        });
    }
}

fn forwards(attachment: &Attachment) -> impl Iterator<Item = Forward> + '_ {
    let address = attachment.addresses.first().map(|has| has.address);
    attachment.ports.iter().filter_map(move |port| {
        Some(Forward { protocol: port.protocol, published: port.published, address: address?, target: port.target })
    })
}

/// Says what steps were about, for people.
pub(super) fn words(steps: &[fabric::Operation]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    steps.iter().for_each(|step| *counts.entry(step.noun()).or_default() += 1);
    counts.into_iter().map(|(noun, count)| if count == 1 { format!("a {noun}") } else { format!("{count} {noun}s") }).collect()
}
