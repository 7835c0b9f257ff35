//! Probes of nodes that want to join: for whom, where to, and how many at once.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use cluster_api::pb::ca_client::CaClient;
use cluster_api::status::{ApiError, code};
use cluster_api::{pb, tls};
use cluster_manager::{Heard, ManagerConfig, Probe, Prober, Stand};
use cluster_types::{JoinToken, NetworkPool, Role};

use crate::testbed::Bed;

/// Keeps what it was asked for.
#[derive(Default)]
struct Recorder(Mutex<Vec<Probe>>);

#[tonic::async_trait]
impl Prober for Recorder {
    async fn stand(&self) -> Result<Stand, String> {
        Ok(Stand { address: Ipv4Addr::new(10, 0, 0, 1), mtu: 1500 })
    }

    async fn exchange(&self, probe: Probe) -> Result<Heard, String> {
        self.0.lock().unwrap().push(probe);
        Ok(Heard { small: true, full: false, trouble: Some("no full ones".to_owned()) })
    }
}

async fn ask(bed: &Bed, token: &JoinToken, address: &str, nonce: &[u8]) -> Result<pb::ProbeResponse, ApiError> {
    let channel = tls::connect_pinned(&bed.address.to_string(), bed.credentials.root_digest()).unwrap();
    let request = pb::ProbeRequest { token: token.to_string(), address: address.to_owned(), nonce: nonce.to_vec() };
    Ok(CaClient::new(channel).probe(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_of_a_token_is_probed_at_its_own_address_alone() {
    let recorder = Arc::new(Recorder::default());
    let bed = Bed::with(ManagerConfig { prober: Some(recorder.clone()), ..ManagerConfig::default() }).await;
    let token = bed.token(Role::Worker).await;
    let wrong = JoinToken { secret: token.secret ^ 1, ..token.clone() };
    assert_eq!(ask(&bed, &wrong, "127.0.0.1", &[7; 16]).await.unwrap_err().code, code::TOKEN);
    let elsewhere = ask(&bed, &token, "10.0.0.9", &[7; 16]).await.unwrap();
    assert!(elsewhere.not_checked.contains("10.0.0.9") && !elsewhere.small_arrived, "{elsewhere:?}");
    assert_eq!(ask(&bed, &token, "127.0.0.1", &[7; 15]).await.unwrap_err().code, code::INVALID);
    let terms = ask(&bed, &token, "127.0.0.1", &[]).await.unwrap();
    assert_eq!(terms.pool.clone().unwrap(), pb::NetworkPool::from(&NetworkPool::standard()));
    assert_eq!((terms.address.as_str(), terms.mtu, terms.not_checked.as_str()), ("10.0.0.1", 1500, ""));
    assert!(recorder.0.lock().unwrap().is_empty(), "nothing was sent yet");

    let answer = ask(&bed, &token, "127.0.0.1", &[7; 16]).await.unwrap();
    assert_eq!((answer.small_arrived, answer.full_arrived, answer.trouble.as_str()), (true, false, "no full ones"));
    let asked = recorder.0.lock().unwrap().pop().unwrap();
    assert_eq!((asked.peer, asked.port, asked.nonce), (Ipv4Addr::LOCALHOST, 4789, [7; 16]));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_some_are_probed_at_once() {
    // The recorder keeps every probe, and with it its turn.
    let bed = Bed::with(ManagerConfig { prober: Some(Arc::new(Recorder::default())), ..ManagerConfig::default() }).await;
    let token = bed.token(Role::Worker).await;
    for _ in 0..16 {
        assert_eq!(ask(&bed, &token, "127.0.0.1", &[7; 16]).await.unwrap().not_checked, "");
    }
    let one_more = ask(&bed, &token, "127.0.0.1", &[7; 16]).await.unwrap();
    assert!(one_more.not_checked.contains("too many"), "{one_more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_cannot_probe_says_so_and_tells_the_pool() {
    let bed = Bed::new().await;
    let answer = ask(&bed, &bed.token(Role::Manager).await, "127.0.0.1", &[7; 16]).await.unwrap();
    assert!(answer.pool.is_some() && answer.not_checked.contains("no overlay"), "{answer:?}");
}
