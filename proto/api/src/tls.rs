//! Mutual TLS: the server side of a manager's port, and channels to managers.
//!
//! TLS 1.3 and 1.2 by rustls. A client's certificate is optional in the handshake, since a joining node has none; the guard then lets such
//! a caller reach only the methods for anyone. A server must hold a manager's certificate of the same cluster.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::identity::{Credentials, InvalidCredentials, MANAGER_NAME, digest};

/// From the first SYN to the end of the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// HTTP/2 pings on a connection, so that a half-open one is found (failures C6).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(4);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(root: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, InvalidCredentials> {
    let mut store = RootCertStore::empty();
    store.add(root.clone()).map_err(|error| InvalidCredentials(format!("the root certificate: {error}")))?;
    Ok(Arc::new(store))
}

/// What the port of a manager presents and asks for.
///
/// # Errors
/// When the root certificate cannot be used.
pub fn server_config(credentials: &Credentials) -> Result<Arc<ServerConfig>, InvalidCredentials> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&credentials.material().root)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| InvalidCredentials(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidCredentials(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(Current(credentials.clone())));
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn client_config(credentials: &Credentials) -> Result<ClientConfig, InvalidCredentials> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(&credentials.material().root)?, provider())
        .build()
        .map_err(|error| InvalidCredentials(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidCredentials(error.to_string()))?
        .with_webpki_verifier(verifier)
        .with_client_cert_resolver(Arc::new(Current(credentials.clone())));
    Ok(with_h2(config))
}

fn with_h2(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A channel to the manager at `address` (`host:port`), with this node's credentials. It connects when first used, and again after a break.
///
/// # Errors
/// When the address is none, or the credentials cannot be used.
pub fn connect(address: &str, credentials: &Credentials) -> Result<Channel, InvalidCredentials> {
    channel(address, client_config(credentials)?)
}

/// A channel for a node that has no certificate yet: it insists on a cluster whose root certificate has the digest of its join token.
///
/// # Errors
/// When the address is none.
pub fn connect_pinned(address: &str, root_digest: [u8; 32]) -> Result<Channel, InvalidCredentials> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidCredentials(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedRoot { digest: root_digest, provider: provider() }))
        .with_no_client_auth();
    channel(address, with_h2(config))
}

fn channel(address: &str, config: ClientConfig) -> Result<Channel, InvalidCredentials> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| InvalidCredentials(format!("`{address}` is no address: HOST:PORT is expected")))?
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(false);
    let connector = TlsConnector::from(Arc::new(config));
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |uri: Uri| open(connector.clone(), uri))))
}

async fn open(connector: TlsConnector, uri: Uri) -> std::io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, what.to_owned());
    let authority = uri.authority().ok_or_else(|| invalid("no host in the address"))?.to_string();
    let name = ServerName::try_from(MANAGER_NAME).map_err(|_| invalid("the manager's name"))?;
    let connecting = async {
        let stream = TcpStream::connect(&authority).await?;
        stream.set_nodelay(true)?;
        connector.connect(name, stream).await
    };
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| {
        std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer from {authority} within {} s", CONNECT_TIMEOUT.as_secs()))
    })?;
    stream.map(TokioIo::new)
}

/// Presents the credentials as they are at the moment of a handshake.
#[derive(Debug)]
struct Current(Credentials);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.material().certified))
    }
}

impl ResolvesClientCert for Current {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.material().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Accepts a manager's certificate only under the one root that has the digest of the join token (failures H3).
#[derive(Debug)]
struct PinnedRoot {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedRoot {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let root = chain.iter().find(|certificate| digest(certificate) == self.digest);
        let root = root.ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let store = roots(&root.clone().into_owned()).map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(leaf, chain, name, stapled, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
