//! What a certificate says whatever its request asks for, and which requests are refused.

use cluster_types::{ClusterId, Timestamp};
use rcgen::{BasicConstraints, CustomExtension};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::*;
use crate::ca::{digest, make_root};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn certificate(role: Role) -> NodeCertificate {
    NodeCertificate { cluster: ClusterId::from_bits(1), node: NodeId::from_bits(2), role, now: NOW, lifetime: Duration::from_secs(60) }
}

fn root() -> CaRoot {
    make_root(ClusterId::from_bits(1), NOW).unwrap()
}

/// Checks what holds for every certificate, whatever the request said.
fn check(issued: &str, root: &CaRoot, role: Role) {
    let (pem, _) = Pem::read(std::io::Cursor::new(issued)).unwrap();
    let (_, leaf) = X509Certificate::from_der(&pem.contents).unwrap();
    let (root_pem, _) = Pem::read(std::io::Cursor::new(&root.certificate)).unwrap();
    let (_, root) = X509Certificate::from_der(&root_pem.contents).unwrap();
    leaf.verify_signature(Some(root.public_key())).unwrap();
    assert!(!leaf.is_ca());
    let unit = if role == Role::Manager { "cluster-manager" } else { "cluster-worker" };
    let subject: Vec<&str> = leaf.subject().iter_attributes().map(|attribute| attribute.as_str().unwrap()).collect();
    assert_eq!(subject, [&ClusterId::from_bits(1).to_string(), unit, &NodeId::from_bits(2).to_string()]);
    let san = leaf.subject_alternative_name().unwrap().unwrap();
    let node = NodeId::from_bits(2).to_string();
    let names: Vec<&str> = if role == Role::Manager { vec![&node, "manager.cluster"] } else { vec![&node] };
    assert_eq!(san.value.general_names, names.into_iter().map(GeneralName::DNSName).collect::<Vec<_>>());
    let uses = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(uses.client_auth && uses.server_auth && !uses.any);
    assert_eq!(leaf.validity().not_after.timestamp(), 1_700_000_060);
    assert_eq!(leaf.validity().not_before.timestamp(), 1_700_000_000 - 3_600);
}

#[test]
fn a_node_gets_what_the_cluster_decides() {
    let root = root();
    let (_, request) = key_and_request().unwrap();
    for role in [Role::Worker, Role::Manager] {
        check(&certificate(role).issue(&root, &request).unwrap(), &root, role);
    }
}

#[test]
fn a_hostile_request_gets_nothing_of_what_it_asks_for() {
    let root = root();
    let mut params = CertificateParams::new(vec!["manager.cluster".to_owned(), "10.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, NodeId::from_bits(99).to_string());
    params.distinguished_name.push(DnType::OrganizationalUnitName, "cluster-manager");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any, ExtendedKeyUsagePurpose::CodeSigning];
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
    let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    check(&certificate(Role::Worker).issue(&root, &request).unwrap(), &root, Role::Worker);
}

#[test]
fn a_request_that_does_not_prove_its_key_is_refused() {
    let (_, request) = key_and_request().unwrap();
    let (pem, _) = Pem::read(std::io::Cursor::new(&request)).unwrap();
    let key = key_of(&pem.contents).unwrap();
    let mut without_proof = pem.contents.clone();
    *without_proof.last_mut().unwrap() ^= 1;
    assert!(matches!(key_of(&without_proof), Err(CaError::Request(_))));
    for position in 0..pem.contents.len() {
        let mut changed = pem.contents.clone();
        changed[position] ^= 1;
        // Some bytes mean nothing (padding of the signature's own header); none of them may change the key.
        if let Ok(taken) = key_of(&changed) {
            assert_eq!(taken.der_bytes(), key.der_bytes(), "byte {position}");
        }
    }
    for request in ["", "-----BEGIN CERTIFICATE REQUEST-----", &"x".repeat(1 << 20)] {
        assert!(matches!(certificate(Role::Worker).issue(&root(), request), Err(CaError::Request(_))), "{request:.80}");
    }
}

#[test]
fn another_kind_of_key_is_refused() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let refused = certificate(Role::Worker).issue(&root(), &request).unwrap_err();
    assert!(matches!(refused, CaError::KeyKind | CaError::Request(_)), "{refused}");
}

#[test]
fn two_roots_have_two_digests() {
    let (first, second) = (root(), root());
    assert_ne!(digest(&first.certificate).unwrap(), digest(&second.certificate).unwrap());
    assert_eq!(digest(&first.certificate).unwrap(), digest(&first.certificate).unwrap());
}

proptest::proptest! {
    #[test]
    fn no_request_panics(text: String, der: Vec<u8>) {
        let _ = requested_key(&text);
        let _ = key_of(&der);
    }
}
