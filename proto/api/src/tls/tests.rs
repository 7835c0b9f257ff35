//! Real handshakes on loopback: who gets through, who does not, and what a request says of its caller.

use std::sync::Arc;

use cluster_types::{ClusterId, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256,
};
use tokio::net::TcpListener;
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::guard::GuardLayer;
use crate::identity::{MANAGER_UNIT, WORKER_UNIT, certificate_der};
use crate::pb::ca_client::CaClient;
use crate::pb::ca_server::{Ca, CaServer};
use crate::pb::{GetRootRequest, GetRootResponse, IssueRequest, IssueResponse, ProbeRequest, ProbeResponse, RenewRequest};
use crate::{Caller, incoming};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()).unwrap())
    }

    fn root(&self) -> String {
        self.0.pem()
    }

    fn credentials(&self, node: u128, unit: &str) -> Credentials {
        let names = if unit == MANAGER_UNIT { vec![MANAGER_NAME.to_owned()] } else { vec![] };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, NodeId::from_bits(node).to_string());
        params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
        params.distinguished_name.push(DnType::OrganizationName, ClusterId::from_bits(1).to_string());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Credentials::from_pem(&certificate.pem(), &key.serialize_pem(), &self.root()).unwrap()
    }
}

/// Answers `Renew` with the caller that it was told.
struct Echo;

#[tonic::async_trait]
impl Ca for Echo {
    async fn get_root(&self, _: Request<GetRootRequest>) -> Result<Response<GetRootResponse>, Status> {
        Ok(Response::new(GetRootResponse::default()))
    }

    async fn issue(&self, _: Request<IssueRequest>) -> Result<Response<IssueResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn probe(&self, _: Request<ProbeRequest>) -> Result<Response<ProbeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<IssueResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(IssueResponse { node_id: caller.forwarded(), ..Default::default() }))
    }
}

async fn serve(credentials: &Credentials) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connections = incoming::tls(listener, server_config(credentials).unwrap());
    let known = |node: NodeId| node != NodeId::from_bits(66);
    let server = tonic::transport::Server::builder().layer(GuardLayer::new(Arc::new(known))).add_service(CaServer::new(Echo));
    tokio::spawn(server.serve_with_incoming(connections));
    address
}

async fn who(address: &str, credentials: &Credentials) -> Result<String, Status> {
    let mut client = CaClient::new(connect(address, credentials).unwrap());
    Ok(client.renew(RenewRequest::default()).await?.into_inner().node_id)
}

#[tokio::test]
async fn a_certificate_tells_who_calls() {
    let authority = Authority::new();
    let address = serve(&authority.credentials(1, MANAGER_UNIT)).await;
    let worker = authority.credentials(2, WORKER_UNIT);
    assert_eq!(who(&address, &worker).await.unwrap(), format!("worker {}", NodeId::from_bits(2)));

    let removed = authority.credentials(66, WORKER_UNIT);
    assert_eq!(who(&address, &removed).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn another_cluster_and_a_worker_posing_as_manager_are_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let address = serve(&authority.credentials(1, MANAGER_UNIT)).await;
    assert!(who(&address, &other.credentials(2, WORKER_UNIT)).await.is_err());

    let posing = serve(&authority.credentials(3, WORKER_UNIT)).await;
    assert!(who(&posing, &authority.credentials(2, WORKER_UNIT)).await.is_err());
}

#[tokio::test]
async fn a_joining_node_reaches_only_what_is_for_anyone_and_only_its_own_cluster() {
    let (authority, other) = (Authority::new(), Authority::new());
    let address = serve(&authority.credentials(1, MANAGER_UNIT)).await;
    let pinned = digest(&certificate_der(&authority.root()).unwrap());
    let mut client = CaClient::new(connect_pinned(&address, pinned).unwrap());
    client.get_root(GetRootRequest::default()).await.unwrap();
    assert_eq!(client.renew(RenewRequest::default()).await.unwrap_err().code(), Code::Unauthenticated);

    let wrong = digest(&certificate_der(&other.root()).unwrap());
    let mut client = CaClient::new(connect_pinned(&address, wrong).unwrap());
    assert!(client.get_root(GetRootRequest::default()).await.is_err());
}

#[tokio::test]
async fn a_manager_may_name_another_caller_and_nobody_else() {
    let authority = Authority::new();
    let address = serve(&authority.credentials(1, MANAGER_UNIT)).await;
    for (unit, seen) in [(MANAGER_UNIT, "worker"), (WORKER_UNIT, "worker")] {
        let mut client = CaClient::new(connect(&address, &authority.credentials(5, unit)).unwrap());
        let mut request = Request::new(RenewRequest::default());
        let named = Caller { kind: crate::callers::CallerKind::Worker, node: Some(NodeId::from_bits(9)) };
        request.metadata_mut().insert(crate::caller::FORWARDED, named.forwarded().parse().unwrap());
        let answer = client.renew(request).await.unwrap().into_inner().node_id;
        let node = if unit == MANAGER_UNIT { 9 } else { 5 };
        assert_eq!(answer, format!("{seen} {}", NodeId::from_bits(node)));
    }
}

#[tokio::test]
async fn replaced_credentials_serve_the_next_connection() {
    let authority = Authority::new();
    let server = authority.credentials(1, MANAGER_UNIT);
    let address = serve(&server).await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    assert!(server.replace("no certificate", &key.serialize_pem(), &authority.root()).is_err());
    assert!(who(&address, &authority.credentials(2, WORKER_UNIT)).await.is_ok());
}
