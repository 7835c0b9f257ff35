//! Probes a node that wants to join, before it gets a certificate. Nothing of the state changes.
//!
//! It makes this manager send datagrams, so it is for holders of a join token alone, a few at a time, and they go to nobody but the caller.
//! The manager that the node talks to answers for itself: it is that host's firewall and interface that count.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use cluster_api::status::ApiError;
use cluster_api::{FieldError, pb};
use tokio::sync::Semaphore;

use super::service::admitted;
use crate::control::cluster::in_cluster;
use crate::core::Core;
use crate::prober::{Heard, Probe, Prober};

/// Nodes that are probed at once.
const AT_ONCE: usize = 16;
/// How long one more waits.
const WAIT: Duration = Duration::from_secs(2);
/// A manager that does not lead hears of a new token within this time.
const LAG: Duration = Duration::from_millis(500);

/// What probes, and how many may at once.
#[derive(Clone)]
pub(crate) struct Probes {
    prober: Option<Arc<dyn Prober>>,
    turns: Arc<Semaphore>,
}

impl Probes {
    pub(crate) fn new(prober: Option<Arc<dyn Prober>>) -> Self {
        Self { prober, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Answers a request that came from `caller`.
    pub(super) async fn answer(
        &self,
        core: &Core,
        caller: Option<IpAddr>,
        request: pb::ProbeRequest,
    ) -> Result<pb::ProbeResponse, ApiError> {
        check_token(core, &request).await?;
        let pool = in_cluster(&core.raft.view())?.network;
        let mut answer = pb::ProbeResponse { pool: Some((&pool).into()), ..pb::ProbeResponse::default() };
        match self.probe(pool.data_port, caller, &request, &mut answer).await {
            Ok(()) => {}
            Err(Stop::Unchecked(reason)) => answer.not_checked = reason,
            Err(Stop::Refused(error)) => return Err(error),
        }
        Ok(answer)
    }

    /// Fills in where this manager stands, and what arrived when there is a nonce.
    async fn probe(
        &self,
        port: u16,
        caller: Option<IpAddr>,
        request: &pb::ProbeRequest,
        answer: &mut pb::ProbeResponse,
    ) -> Result<(), Stop> {
        let unable = |reason: String| Stop::Unchecked(format!("the manager cannot probe: {reason}"));
        let prober = self.prober.as_ref().ok_or_else(|| Stop::Unchecked("the manager takes part in no overlay".to_owned()))?;
        let peer = peer(caller, &request.address).map_err(Stop::Unchecked)?;
        let stand = prober.stand().await.map_err(unable)?;
        (answer.address, answer.mtu) = (stand.address.to_string(), stand.mtu);
        if request.nonce.is_empty() {
            return Ok(());
        }
        let wrong = |_| Stop::Refused(FieldError::new("nonce", "must have 16 bytes").into());
        let nonce = request.nonce.as_slice().try_into().map_err(wrong)?;
        let Ok(Ok(turn)) = tokio::time::timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await else {
            return Err(Stop::Unchecked("the manager checks too many other nodes just now".to_owned()));
        };
        let Heard { small, full, trouble } = prober.exchange(Probe { peer, port, nonce, turn }).await.map_err(unable)?;
        (answer.small_arrived, answer.full_arrived, answer.trouble) = (small, full, trouble.unwrap_or_default());
        Ok(())
    }
}

/// Why there is no probe.
enum Stop {
    /// It cannot be; the node may join all the same.
    Unchecked(String),
    Refused(ApiError),
}

/// Refuses whom `Issue` refuses. This manager may not lead, and not have heard of a new token yet.
async fn check_token(core: &Core, request: &pb::ProbeRequest) -> Result<(), ApiError> {
    let check = || admitted(core, &core.raft.view(), &request.token, &request.address);
    let mut checked = check();
    if checked.is_err() && core.term().is_none() {
        tokio::time::sleep(LAG).await;
        checked = check();
    }
    checked.map(|_| ())
}

/// The caller's address, where the packets of the overlay shall go too; else why there is none.
fn peer(caller: Option<IpAddr>, address: &str) -> Result<Ipv4Addr, String> {
    match caller.map(|caller| caller.to_canonical()) {
        Some(IpAddr::V4(caller)) if address.parse() == Ok(caller) => Ok(caller),
        Some(caller) => Err(format!("this host comes from {caller} and will be reached at {address}")),
        None => Err("the manager does not see where this host comes from".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_go_to_the_caller_alone() {
        let found = |caller: Option<&str>, address| peer(caller.map(|caller| caller.parse().unwrap()), address);
        assert_eq!(found(Some("10.0.0.7"), "10.0.0.7"), Ok(Ipv4Addr::new(10, 0, 0, 7)));
        assert_eq!(found(Some("::ffff:10.0.0.7"), "10.0.0.7"), Ok(Ipv4Addr::new(10, 0, 0, 7)));
        for (caller, address) in [(Some("10.0.0.7"), "10.0.0.8"), (Some("10.0.0.7"), ""), (Some("fd00::7"), "fd00::7"), (None, "10.0.0.7")]
        {
            assert!(found(caller, address).is_err(), "{caller:?} {address}");
        }
    }
}
