//! Issues a node's certificate. The subject, names, uses and dates are the cluster's to give; a request brings only its public key
//! (failures H10).

use std::time::Duration;

use cluster_types::{CaRoot, ClusterId, NodeId, Role, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SubjectPublicKeyInfo,
};
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use super::CaError;
use super::root::issuer;

/// How long a node's certificate holds unless configured: 90 days, as swarm's.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// Certificates begin an hour in the past, for clocks that are a little off (failures C10).
pub(super) const BACKDATE: Duration = Duration::from_secs(3_600);
/// Largest request that is looked at, in bytes; one with a P-256 key has about 400.
const REQUEST_BYTES: usize = 16 << 10;

/// What a certificate says of its node.
#[derive(Debug, Clone, Copy)]
pub struct NodeCertificate {
    /// Organisation.
    pub cluster: ClusterId,
    /// Common name, and a DNS name.
    pub node: NodeId,
    /// Organisational unit; a manager also gets the DNS name `manager.cluster` that clients ask for.
    pub role: Role,
    /// When it is made, by the wall clock.
    pub now: Timestamp,
    /// From `now` to its end.
    pub lifetime: Duration,
}

impl NodeCertificate {
    /// Signs it for the public key of `request_pem` (PKCS #10): the certificate in PEM.
    ///
    /// # Errors
    /// When the request cannot be read, does not prove that it has the key, or has a key other than P-256; or when the root is broken.
    pub fn issue(&self, root: &CaRoot, request_pem: &str) -> Result<String, CaError> {
        let key = requested_key(request_pem)?;
        let certificate = self.params()?.signed_by(&key, &issuer(root)?).map_err(|error| CaError::Root(error.to_string()))?;
        Ok(certificate.pem())
    }

    fn params(&self) -> Result<CertificateParams, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject();
        params.subject_alt_names = self.names()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = moment(self.now)? - BACKDATE;
        params.not_after = moment(self.now)? + self.lifetime;
        Ok(params)
    }

    fn subject(&self) -> DistinguishedName {
        let unit = match self.role {
            Role::Worker => "cluster-worker",
            Role::Manager => "cluster-manager",
        };
        let mut subject = DistinguishedName::new();
        subject.push(DnType::OrganizationName, self.cluster.to_string());
        subject.push(DnType::OrganizationalUnitName, unit);
        subject.push(DnType::CommonName, self.node.to_string());
        subject
    }

    fn names(&self) -> Result<Vec<SanType>, CaError> {
        let node = self.node.to_string();
        let names: &[&str] = match self.role {
            Role::Worker => &[&node],
            Role::Manager => &[&node, "manager.cluster"],
        };
        let names = names.iter().map(|name| (*name).try_into().map(SanType::DnsName));
        names.collect::<Result<_, rcgen::Error>>().map_err(|error| CaError::Root(error.to_string()))
    }
}

/// A new P-256 key and a request for it: both PEM, the key PKCS #8. For a node that joins, and for the first one.
///
/// # Errors
/// When the machine's random source fails.
pub fn key_and_request() -> Result<(String, String), CaError> {
    let failed = |error: rcgen::Error| CaError::Request(error.to_string());
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(failed)?;
    Ok((key.serialize_pem(), request.pem().map_err(failed)?))
}

/// The public key of a request whose signature shows that the sender has the private one.
pub(super) fn requested_key(request_pem: &str) -> Result<SubjectPublicKeyInfo, CaError> {
    if request_pem.len() > REQUEST_BYTES {
        return Err(CaError::Request(format!("it is larger than {REQUEST_BYTES} bytes")));
    }
    let (pem, _) = Pem::read(std::io::Cursor::new(request_pem)).map_err(|error| CaError::Request(error.to_string()))?;
    key_of(&pem.contents)
}

/// [`requested_key`] of a request in DER.
fn key_of(request: &[u8]) -> Result<SubjectPublicKeyInfo, CaError> {
    let invalid = |error: &dyn std::fmt::Display| CaError::Request(error.to_string());
    let (_, request) = X509CertificationRequest::from_der(request).map_err(|error| invalid(&error))?;
    request.verify_signature().map_err(|error| invalid(&error))?;
    let key = SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw).map_err(|error| invalid(&error))?;
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(CaError::KeyKind);
    }
    Ok(key)
}

/// A stamp as X.509 wants it.
pub(super) fn moment(at: Timestamp) -> Result<OffsetDateTime, CaError> {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| CaError::Root(format!("the clock's time {} ms is out of range", at.0)))
}

#[cfg(test)]
mod tests;
