//! Makes the root certificate of a new cluster, and its digest.

use std::time::Duration;

use cluster_types::{CaRoot, ClusterId, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sha2::{Digest, Sha256};
use x509_parser::pem::Pem;

use super::CaError;
use super::certificate::{BACKDATE, moment};

/// How long a root holds: 20 years, as swarm's.
const ROOT_LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);

/// A new root with a new P-256 key.
///
/// # Errors
/// When the machine's random source fails.
pub fn make_root(cluster: ClusterId, now: Timestamp) -> Result<CaRoot, CaError> {
    let key = KeyPair::generate().map_err(root_error)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, cluster.to_string());
    params.distinguished_name.push(DnType::CommonName, "cluster-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = moment(now)? - BACKDATE;
    params.not_after = moment(now)? + ROOT_LIFETIME;
    let certificate = params.self_signed(&key).map_err(root_error)?;
    Ok(CaRoot { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// SHA-256 of a PEM certificate's DER form: what join tokens pin.
///
/// # Errors
/// When the text is not a PEM certificate.
pub fn digest(certificate_pem: &str) -> Result<[u8; 32], CaError> {
    let (pem, _) = Pem::read(std::io::Cursor::new(certificate_pem)).map_err(root_error)?;
    Ok(Sha256::digest(&pem.contents).into())
}

/// The root as a signer.
pub(super) fn issuer(root: &CaRoot) -> Result<Issuer<'static, KeyPair>, CaError> {
    let key = KeyPair::from_pem(&root.key).map_err(root_error)?;
    Issuer::from_ca_cert_pem(&root.certificate, key).map_err(root_error)
}

fn root_error(error: impl std::fmt::Display) -> CaError {
    CaError::Root(error.to_string())
}
