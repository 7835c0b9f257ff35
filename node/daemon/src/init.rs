//! `cluster init`: this node becomes the first manager of a new cluster.

use cluster_api::pb;
use cluster_manager::{Birth, NewCluster, SystemClock, ca};
use cluster_raft::Raft;
use cluster_types::{NetworkPool, Role};

use crate::address::{self, Advertise};
use crate::error::DaemonError;
use crate::host::Host;
use crate::identity_store::StoredIdentity;
use crate::manager_side::{Port, raft_config};
use crate::member::{Member, remove_raft};
use crate::{machine, pool};

/// Raft's id of the first manager.
const FIRST: u64 = 1;

/// Makes the cluster: certificate authority, log, first entry, identity, in this order. A failure in between leaves nothing that a second
/// try would trip over.
///
/// # Errors
/// When there is no address, the pool of addresses is no good here, or the port or disk cannot be used.
pub(crate) async fn init(host: &Host, request: pb::InitRequest) -> Result<(Member, pb::InitResponse), DaemonError> {
    let asked = Some(request.advertise_address).filter(|asked| !asked.is_empty()).or_else(|| host.config.advertise.clone());
    let advertise =
        address::choose(asked.as_deref(), host.config.listen.port(), None).map_err(DaemonError::host("finding this node's address"))?;
    let network = pool::choose(request.network.unwrap_or_default(), &pool::taken(advertise.address))?;
    remove_raft(&host.config.data_dir)?;
    let new = make(host, request.name, &advertise, network)?;
    let credentials = new.credentials().map_err(DaemonError::host("making this node's certificate"))?;
    let identity = StoredIdentity {
        certificate: new.certificate_pem.clone(),
        key: new.key_pem.clone(),
        root: new.root_pem().to_owned(),
        advertise: advertise.address,
        raft_id: Some(FIRST),
        managers: vec![advertise.address.to_string()],
    };
    let port = Port::open(&host.config, &credentials).await?;
    let config = raft_config(&host.config, &identity, &credentials, FIRST);
    let raft = Raft::bootstrap(config).await.map_err(DaemonError::host("starting Raft"))?;
    new.found(&raft, &SystemClock::default()).await?;
    host.identities.save(&identity).map_err(DaemonError::host("keeping this node's identity"))?;
    let response = response(&raft, &advertise, &credentials.identity().node.to_string())?;
    Ok((Member::first(host, identity, credentials, raft, port).await?, response))
}

fn make(host: &Host, name: String, advertise: &Advertise, network: NetworkPool) -> Result<NewCluster, DaemonError> {
    let name = if name.is_empty() { generated_name() } else { name };
    let birth = Birth {
        name,
        description: machine::describe(address::underlay(advertise.address)),
        address: advertise.address,
        certificate_lifetime: host.config.certificate_life,
        network,
    };
    NewCluster::make(birth, &SystemClock::default()).map_err(DaemonError::host("making the certificate authority"))
}

fn response(raft: &Raft, advertise: &Advertise, node: &str) -> Result<pb::InitResponse, DaemonError> {
    let view = raft.view();
    let cluster = view.cluster().ok_or(DaemonError::NoMember)?;
    let token = ca::join_token(cluster, Role::Worker).map_err(DaemonError::host("making the join token"))?;
    Ok(pb::InitResponse {
        cluster_name: cluster.name.clone(),
        node_id: node.to_owned(),
        advertise_address: advertise.address.to_string(),
        advertise_reason: advertise.reason.clone(),
        worker_token: token.to_string(),
    })
}

/// A name for people: two words.
fn generated_name() -> String {
    const FIRST: [&str; 8] = ["quiet", "brisk", "amber", "early", "bold", "clear", "warm", "steady"];
    const SECOND: [&str; 8] = ["otter", "heron", "maple", "harbour", "meadow", "falcon", "river", "lantern"];
    let pick = |words: &[&'static str; 8]| words[rand::random_range(0..words.len())];
    format!("{}-{}", pick(&FIRST), pick(&SECOND))
}
