//! Who a node is: what its certificate says, and the certificate, key and root that prove it.
//!
//! Subjects are set by the cluster's CA alone (security.md 3.1): common name = node id, organisational unit = role, organisation = cluster id.

use std::sync::{Arc, RwLock};

use cluster_types::{ClusterId, NodeId, Role};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

/// The DNS name in every manager's certificate, and in no worker's: who asks a manager insists on it.
pub const MANAGER_NAME: &str = "manager.cluster";
/// Organisational unit of a manager's certificate.
pub const MANAGER_UNIT: &str = "cluster-manager";
/// Organisational unit of a worker's certificate.
pub const WORKER_UNIT: &str = "cluster-worker";

/// What a certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The node.
    pub node: NodeId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its role.
    pub role: Role,
    /// Not valid before, in seconds since the epoch.
    pub not_before: i64,
    /// Not valid after, in seconds since the epoch.
    pub not_after: i64,
}

/// Why a certificate or key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node's credentials cannot be used: {0}")]
pub struct InvalidCredentials(pub String);

impl Identity {
    /// Reads a certificate in DER form.
    ///
    /// # Errors
    /// When it is no certificate, or its subject is not one of a cluster's CA.
    pub fn from_certificate(der: &[u8]) -> Result<Self, InvalidCredentials> {
        let invalid = |what: &str| InvalidCredentials(what.to_owned());
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| invalid("the certificate is not X.509"))?;
        let subject = certificate.subject();
        let node = single(subject.iter_common_name()).and_then(|name| name.parse().ok());
        let cluster = single(subject.iter_organization()).and_then(|name| name.parse().ok());
        let role = match single(subject.iter_organizational_unit()) {
            Some(MANAGER_UNIT) => Role::Manager,
            Some(WORKER_UNIT) => Role::Worker,
            _ => return Err(invalid("the certificate names no role")),
        };
        let validity = certificate.validity();
        Ok(Self {
            node: node.ok_or_else(|| invalid("the certificate names no node"))?,
            cluster: cluster.ok_or_else(|| invalid("the certificate names no cluster"))?,
            role,
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

/// The only attribute of a kind; none when there are several, so that nobody can hide a second name behind the first.
fn single<'a>(mut attributes: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>) -> Option<&'a str> {
    let first = attributes.next()?;
    if attributes.next().is_some() { None } else { first.as_str().ok() }
}

/// The subject's parts of a name, for messages.
#[must_use]
pub fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().next().and_then(|attribute| attribute.as_str().ok()).map(ToOwned::to_owned)
}

/// SHA-256 of a certificate in DER form: how a join token names its cluster.
#[must_use]
pub fn digest(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

/// The DER form of the first certificate in a PEM text.
///
/// # Errors
/// When there is none.
pub fn certificate_der(pem: &str) -> Result<CertificateDer<'static>, InvalidCredentials> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| InvalidCredentials(format!("no certificate in the PEM text: {error}")))
}

/// A node's certificate, key and root. Clones share them, and [`Credentials::replace`] changes them for all: a renewed certificate serves
/// the next connection without a restart.
#[derive(Clone)]
pub struct Credentials {
    current: Arc<RwLock<Arc<Material>>>,
}

/// What is replaced as one.
pub(crate) struct Material {
    pub(crate) identity: Identity,
    pub(crate) certified: Arc<rustls::sign::CertifiedKey>,
    pub(crate) root: CertificateDer<'static>,
}

impl Credentials {
    /// Credentials from PEM texts. `certificate` may be followed by the root; the key is PKCS #8.
    ///
    /// # Errors
    /// When a text is not what it should be, or key and certificate do not belong together.
    pub fn from_pem(certificate: &str, key: &str, root: &str) -> Result<Self, InvalidCredentials> {
        Ok(Self { current: Arc::new(RwLock::new(Arc::new(Material::from_pem(certificate, key, root)?))) })
    }

    /// Puts others in their place, for all clones.
    ///
    /// # Errors
    /// As [`Credentials::from_pem`]; the old ones stay then.
    pub fn replace(&self, certificate: &str, key: &str, root: &str) -> Result<(), InvalidCredentials> {
        let material = Arc::new(Material::from_pem(certificate, key, root)?);
        *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = material;
        Ok(())
    }

    /// Who they say the node is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.material().identity.clone()
    }

    /// SHA-256 of the root certificate.
    #[must_use]
    pub fn root_digest(&self) -> [u8; 32] {
        digest(&self.material().root)
    }

    pub(crate) fn material(&self) -> Arc<Material> {
        Arc::clone(&self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Says whose they are, never the key.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.identity().node)
    }
}

impl Material {
    fn from_pem(certificate: &str, key: &str, root: &str) -> Result<Self, InvalidCredentials> {
        let leaf = certificate_der(certificate)?;
        let root = certificate_der(root)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| InvalidCredentials("the key is not PEM".to_owned()))?;
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
            .map_err(|_| InvalidCredentials("the key is of no supported type".to_owned()))?;
        let identity = Identity::from_certificate(&leaf)?;
        // The root travels with the leaf so that a joining node can check it against its token.
        let certified = rustls::sign::CertifiedKey::new(vec![leaf, root.clone()], key);
        certified.keys_match().map_err(|_| InvalidCredentials("the key is not the certificate's".to_owned()))?;
        Ok(Self { identity, certified: Arc::new(certified), root })
    }
}
