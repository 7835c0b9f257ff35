//! The joining checks of the network: the cluster's addresses are free on this host, and the overlay's packets pass between it and the
//! manager, small ones and full ones, both ways. Nothing is changed here; `verdict` says what the outcome means.
//!
//! What cannot be checked does not keep a node out: the line says so.

use std::net::Ipv4Addr;
use std::time::Duration;

use cluster_api::pb::ca_client::CaClient;
use cluster_api::{ApiError, pb};
use cluster_network::probe::{self, Arrived, Exchange, Interface, Way};
use cluster_types::NetworkPool;
use tonic::Code;
use tonic::transport::Channel;

use super::verdict::{End, Ends, Outcome, judge};
use super::{Checked, PATIENCE, Tell, unreachable};
use crate::address::{self, Advertise};
use crate::error::DaemonError;
use crate::host::Host;
use crate::pool;

/// How long this host listens for probes: longer than the manager, whose answer counts too.
const LISTEN: Duration = Duration::from_millis(2_800);
/// The names of the checks.
const POOL: &str = "pool";
const DATA_PORT: &str = "data port";
const MTU: &str = "mtu";

/// The manager that is asked, and with what.
pub(super) struct Asked<'a> {
    pub(super) channel: &'a Channel,
    /// For people.
    pub(super) manager: &'a str,
    pub(super) token: &'a str,
    pub(super) advertise: &'a Advertise,
}

impl Asked<'_> {
    /// Checks all, and tells of each.
    ///
    /// # Errors
    /// When one fails, or the token does not let this node in.
    pub(super) async fn check(&self, host: &Host, tell: Tell<'_>) -> Result<(), DaemonError> {
        if host.containers.network.is_none() {
            tell(DATA_PORT, not_checked("this daemon runs no real containers"));
            return Ok(());
        }
        let Some(terms) = self.ask(Vec::new()).await? else {
            tell(DATA_PORT, not_checked("the manager is of an older version and cannot probe"));
            return Ok(());
        };
        let pool = terms.pool.clone().unwrap_or_default();
        let pool = NetworkPool::try_from(pool).map_err(DaemonError::host("reading the cluster's addresses"))?;
        pool::check(&pool, &pool::taken(self.advertise.address))?;
        tell(POOL, Checked::Passed(format!("{} is free here", pool.pool)));
        match self.probe(&pool, &terms).await? {
            Ok(outcome) => {
                let [data_port, mtu] = judge(&outcome)?;
                tell(DATA_PORT, Checked::Passed(data_port));
                tell(MTU, Checked::Passed(mtu));
            }
            Err(reason) => tell(DATA_PORT, not_checked(&reason)),
        }
        Ok(())
    }

    /// Sends and hears probes, as the manager does; or says why that cannot be.
    async fn probe(&self, pool: &NetworkPool, terms: &pb::ProbeResponse) -> Result<Result<Outcome, String>, DaemonError> {
        let ends = match self.ends(pool, terms).await {
            Ok(ends) => ends,
            Err(reason) => return Ok(Err(reason)),
        };
        let _held = probe::hold(ends.port).await.map_err(|reason| ends.taken(&reason))?;
        let nonce: probe::Nonce = rand::random();
        let way = Way { own: ends.here.address, peer: ends.there.address, port: ends.port, nonce };
        let exchange = match Exchange::open(way, ends.here.mtu).await {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (answer, (here, trouble)) = tokio::join!(self.ask(nonce.to_vec()), exchange.run(LISTEN, ()));
        let answer = answer?.unwrap_or_default();
        if !answer.not_checked.is_empty() {
            return Ok(Err(answer.not_checked));
        }
        let there = Arrived { small: answer.small_arrived, full: answer.full_arrived };
        let there_trouble = Some(answer.trouble).filter(|trouble| !trouble.is_empty());
        Ok(Ok(Outcome { ends, here, there, here_trouble: trouble, there_trouble }))
    }

    /// Between which two addresses probes go; or why there are no two.
    async fn ends(&self, pool: &NetworkPool, terms: &pb::ProbeResponse) -> Result<Ends, String> {
        if !terms.not_checked.is_empty() {
            return Err(terms.not_checked.clone());
        }
        let own = address::underlay(self.advertise.address).ok_or("the address of this host is not of IPv4, which the overlay needs")?;
        let there: Ipv4Addr = terms.address.parse().map_err(|_| "the manager has no IPv4 address, which the overlay needs")?;
        let interface = |address| async move { probe::interface(address).await.map_err(|error| error.to_string()) };
        if interface(there).await?.is_some() {
            return Err("the manager is on this host".to_owned());
        }
        let Interface { name, mtu } = interface(own).await?.ok_or_else(|| format!("{own} is no address of this host's own"))?;
        let (here, there) = (End { address: own, mtu }, End { address: there, mtu: terms.mtu });
        Ok(Ends { here, there, interface: name, port: pool.data_port })
    }

    /// Asks the manager to probe, or for the terms alone when there is no nonce; none when it cannot be asked that.
    async fn ask(&self, nonce: Vec<u8>) -> Result<Option<pb::ProbeResponse>, DaemonError> {
        let address = self.advertise.address.ip().to_string();
        let request = pb::ProbeRequest { token: self.token.to_owned(), address, nonce };
        let mut client = CaClient::new(self.channel.clone());
        let answer = tokio::time::timeout(PATIENCE, client.probe(request)).await;
        match answer.map_err(|_| unreachable(self.manager, &format!("no answer within {} s", PATIENCE.as_secs())))? {
            Ok(answer) => Ok(Some(answer.into_inner())),
            Err(status) if status.code() == Code::Unimplemented => Ok(None),
            Err(status) => Err(ApiError::from(status).into()),
        }
    }
}

fn not_checked(reason: &str) -> Checked {
    Checked::Skipped(format!("not checked: {reason}"))
}
