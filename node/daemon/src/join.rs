//! `cluster join`: this node enters a cluster. Each check is told before anything is kept; a failure leaves the node outside.

mod overlay;
mod verdict;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cluster_api::pb::ca_client::CaClient;
use cluster_api::status::code;
use cluster_api::{ApiError, Kind, identity, pb, tls};
use cluster_types::{JoinToken, Role};
use tonic::Status;
use tonic::transport::Channel;

use crate::address;
use crate::error::DaemonError;
use crate::host::Host;
use crate::identity_store::StoredIdentity;
use crate::member::{Member, credentials, remove_directory};
use crate::{machine, managers};

/// How long a manager may take for a step.
const PATIENCE: Duration = Duration::from_secs(5);
/// Certificates are backdated by an hour: a clock that is further off would refuse them.
const CLOCK_LIMIT: Duration = Duration::from_secs(50 * 60);
/// A clock that is off by more is worth a word.
const CLOCK_WARNING: Duration = Duration::from_secs(5);

/// What came of a check that did not fail.
pub(crate) enum Checked {
    /// It passed, in words.
    Passed(String),
    /// It was not made: why.
    Skipped(String),
}

/// Tells the user of a check: its name and what came out.
pub(crate) type Tell<'a> = &'a (dyn Fn(&str, Checked) + Send + Sync);

/// Enters the cluster that the token names, through the manager at the address.
///
/// # Errors
/// When the token is none or not this cluster's, the manager cannot be reached, the clock is off, the cluster's addresses are not free here,
/// the overlay's packets do not pass, or the managers refuse.
pub(crate) async fn join(host: &Host, request: &pb::JoinRequest, tell: Tell<'_>) -> Result<Member, DaemonError> {
    let token: JoinToken = request.token.parse().map_err(|error: cluster_types::token::InvalidToken| {
        DaemonError::Manager(ApiError::new(Kind::Invalid, code::TOKEN, error.to_string()))
    })?;
    let manager = address::resolve(&request.address, crate::config::DEFAULT_PORT).map_err(DaemonError::host("the manager's address"))?;
    let channel = tls::connect_pinned(&manager.to_string(), token.ca_digest).map_err(DaemonError::host("the manager's address"))?;
    check_manager(&channel, &manager.to_string(), &token, tell).await?;
    let asked = Some(request.advertise_address.as_str()).filter(|asked| !asked.is_empty()).or(host.config.advertise.as_deref());
    let advertise =
        address::choose(asked, host.config.listen.port(), Some(manager)).map_err(DaemonError::host("finding this node's address"))?;
    tell("address", Checked::Passed(format!("{} ({})", advertise.address, advertise.reason)));
    let manager = manager.to_string();
    overlay::Asked { channel: &channel, manager: &manager, token: &request.token, advertise: &advertise }.check(host, tell).await?;
    let identity = admit(channel, request, &advertise, manager).await?;
    tell("certificate", Checked::Passed(format!("issued: this node is a {}", role_word(token.role))));
    enter(host, identity).await
}

/// Keeps the identity and starts; on a failure the node leaves again.
async fn enter(host: &Host, identity: StoredIdentity) -> Result<Member, DaemonError> {
    remove_directory(&host.config.data_dir.join("agent")).map_err(DaemonError::host("removing an old ledger"))?;
    host.identities.save(&identity).map_err(DaemonError::host("keeping this node's identity"))?;
    match Member::start(host, identity.clone()).await {
        Ok(member) => Ok(member),
        Err(error) => {
            if let Err(left) = managers::leave(&identity.managers, &credentials(&identity)?, true).await {
                tracing::warn!(error = %left, "the managers may still list this node: `cluster node rm --force` it");
            }
            host.identities.forget().map_err(DaemonError::host("forgetting this node's identity"))?;
            Err(error)
        }
    }
}

/// Reaches the manager, whose certificate must match the token, and compares the clocks.
async fn check_manager(channel: &Channel, address: &str, token: &JoinToken, tell: Tell<'_>) -> Result<(), DaemonError> {
    let mut client = CaClient::new(channel.clone());
    let root = tokio::time::timeout(PATIENCE, client.get_root(pb::GetRootRequest {})).await;
    let root = root.map_err(|_| unreachable(address, &format!("no answer within {} s", PATIENCE.as_secs())))?;
    let root = root.map_err(|status| unreached(address, &status))?.into_inner();
    let presented = identity::certificate_der(&root.certificate_pem).map_err(DaemonError::host("the cluster's root certificate"))?;
    if identity::digest(&presented) != token.ca_digest {
        return Err(foreign(address));
    }
    tell("reach", Checked::Passed(format!("{address}: the certificate matches the token")));
    check_clock(root.now_ms, tell)
}

fn check_clock(manager_ms: u64, tell: Tell<'_>) -> Result<(), DaemonError> {
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let apart = here.abs_diff(Duration::from_millis(manager_ms));
    if apart > CLOCK_LIMIT {
        let reason = format!(
            "this host's clock is {} min {} the manager's (here {} s, there {} s since 1970): set it, then join again",
            apart.as_secs() / 60,
            if here.as_millis() > u128::from(manager_ms) { "ahead of" } else { "behind" },
            here.as_secs(),
            manager_ms / 1000,
        );
        return Err(DaemonError::Manager(ApiError::new(Kind::Precondition, code::CLOCK, reason)));
    }
    let warning = if apart > CLOCK_WARNING { "; certificates and logs will disagree, consider NTP" } else { "" };
    tell("clock", Checked::Passed(format!("{} ms apart{warning}", apart.as_millis())));
    Ok(())
}

/// Gets a certificate for a new key.
async fn admit(
    channel: Channel,
    request: &pb::JoinRequest,
    advertise: &address::Advertise,
    manager: String,
) -> Result<StoredIdentity, DaemonError> {
    let (key, csr_pem) = cluster_manager::ca::key_and_request().map_err(DaemonError::host("making this node's key"))?;
    let issue = pb::IssueRequest {
        token: request.token.clone(),
        csr_pem,
        description: Some(pb::NodeDescription::from(&machine::describe(address::underlay(advertise.address)))),
        advertise_address: advertise.address.to_string(),
    };
    let mut client = CaClient::new(channel);
    let issued = tokio::time::timeout(PATIENCE, client.issue(issue)).await;
    let issued = issued.map_err(|_| unreachable(&manager, &format!("no answer within {} s", PATIENCE.as_secs())))?;
    let issued = issued.map_err(ApiError::from)?.into_inner();
    let managers = if issued.manager_addresses.is_empty() { vec![manager] } else { issued.manager_addresses };
    Ok(StoredIdentity {
        certificate: issued.certificate_pem,
        key,
        root: issued.root_pem,
        advertise: advertise.address,
        raft_id: None,
        managers,
    })
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Worker => "worker",
        Role::Manager => "manager",
    }
}

fn unreachable(address: &str, reason: &str) -> DaemonError {
    let what = format!("the manager at {address} cannot be reached: {reason}");
    let error = ApiError::new(Kind::Unavailable, code::MANAGER_UNREACHABLE, what);
    DaemonError::Manager(error.hint("check the address and that its port is open from here; nothing was changed"))
}

fn foreign(address: &str) -> DaemonError {
    let what = format!("the manager at {address} belongs to another cluster than the token");
    let error = ApiError::new(Kind::Denied, code::TOKEN, what);
    DaemonError::Manager(error.hint("`cluster join-token worker` on a manager of the cluster prints its token; nothing was changed"))
}

/// Why the first call failed: another cluster, a clock, or the network. TLS hides it below "transport error".
fn unreached(address: &str, status: &Status) -> DaemonError {
    let mut deepest = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        deepest = error.to_string();
        source = error.source();
    }
    if deepest.contains("UnknownIssuer") {
        return foreign(address);
    }
    if ["NotValidYet", "Expired", "not valid yet", "expired"].iter().any(|word| deepest.contains(word)) {
        let what = format!("the certificate of {address} does not hold at this host's time: set the clocks, then join again ({deepest})");
        return DaemonError::Manager(ApiError::new(Kind::Precondition, code::CLOCK, what));
    }
    unreachable(address, &deepest)
}
