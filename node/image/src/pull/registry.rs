//! Speaks the distribution protocol to one registry, for one image.
//!
//! It is careful with the password: it goes to the registry itself and to the token servers that are allowed for it, never to whatever
//! host the registry names, never along a redirect, and never over plain HTTP unless the registry is listed for it. Answers are read
//! up to a limit. (The reasons why no library does this: docs/decisions, registry client.)

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cluster_types::{DEFAULT_REGISTRY, ImageRef};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::Credentials;
use super::challenge::{self, Challenge};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::MANIFEST_BYTES;
use crate::store::{Inner, StoreConfig};

/// Time to reach a host.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence in an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// Redirects in a row.
const REDIRECTS: usize = 5;
/// A token server's answer, in bytes.
const TOKEN_BYTES: u64 = 1 << 20;
/// As much of an error's text as is shown.
const ERROR_BYTES: usize = 300;
/// Token servers that are known to belong to a registry under another name.
const TOKEN_SERVERS: [(&str, &str); 2] = [(DEFAULT_REGISTRY, "auth.docker.io"), ("registry.gitlab.com", "gitlab.com")];

/// A registry as seen by one pull.
pub(super) struct Registry {
    client: Client,
    /// `https://host:port`
    base: String,
    plain: bool,
    /// Hosts that may be sent the password.
    trusted: Vec<String>,
    image: ImageRef,
    credentials: Option<Credentials>,
    /// What the registry asked for last.
    login: Mutex<Login>,
}

/// What goes with a request.
#[derive(Clone)]
enum Login {
    /// Nothing.
    Anonymous,
    /// Name and password.
    Password(Credentials),
    /// A token, marked as secret.
    Token(HeaderValue),
}

impl Login {
    fn on(self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Anonymous => request,
            Self::Password((name, password)) => request.basic_auth(name, Some(password)),
            Self::Token(token) => request.header(AUTHORIZATION, token),
        }
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// The HTTP client of a store, made when it is first needed.
pub(crate) fn client(inner: &Inner) -> Result<Client, ImageError> {
    if let Some(client) = inner.client.get() {
        return Ok(client.clone());
    }
    let builder = Client::builder().user_agent(concat!("cluster/", env!("CARGO_PKG_VERSION")));
    let builder = builder.connect_timeout(CONNECT).read_timeout(SILENCE).redirect(Policy::custom(follow));
    let client = builder.build().map_err(|error| ImageError::io("set up the registry client", std::io::Error::other(error)))?;
    Ok(inner.client.get_or_init(|| client).clone())
}

/// A redirect (to where a registry keeps its content) is followed unless it gives up encryption. The client drops the password.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let encrypted = attempt.previous().last().is_some_and(|from| from.scheme() == "https");
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("too many redirects");
    }
    if encrypted && attempt.url().scheme() != "https" {
        return attempt.error("a redirect leads from https to plain http");
    }
    attempt.follow()
}

impl Registry {
    pub(super) fn new(client: Client, config: &StoreConfig, image: ImageRef, credentials: Option<Credentials>) -> Self {
        let plain = config.plain_http.contains(&image.registry);
        let host = if image.registry == DEFAULT_REGISTRY { "registry-1.docker.io" } else { image.registry.as_str() };
        let base = format!("{}://{host}", if plain { "http" } else { "https" });
        let known = TOKEN_SERVERS.iter().filter(|(registry, _)| *registry == image.registry).map(|(_, server)| (*server).to_owned());
        let listed = config.token_servers.get(&image.registry).into_iter().flatten().cloned();
        let trusted = [host.to_owned()].into_iter().chain(known).chain(listed).collect();
        Self { client, base, plain, trusted, image, credentials, login: Mutex::new(Login::Anonymous) }
    }

    /// A manifest or an index, by tag or digest.
    pub(super) async fn manifest(&self, wanted: &str, accepted: &[&str]) -> Result<Vec<u8>, ImageError> {
        let url = format!("{}/v2/{}/manifests/{wanted}", self.base, self.image.repository);
        let response = self.get(&url, &accepted.join(", ")).await?;
        let bytes = self.body(response, MANIFEST_BYTES).await?;
        bytes.ok_or_else(|| self.failed(format!("its manifest is larger than {MANIFEST_BYTES} bytes")))
    }

    /// The beginning of a blob's download.
    pub(super) async fn blob(&self, digest: &Digest) -> Result<Response, ImageError> {
        self.get(&format!("{}/v2/{}/blobs/{digest}", self.base, self.image.repository), "*/*").await
    }

    /// Asks, and asks again with credentials when the registry wants them.
    async fn get(&self, url: &str, accepted: &str) -> Result<Response, ImageError> {
        let response = self.send(url, accepted).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return self.check(response).await;
        }
        let login = self.answer(&response).await?;
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = login;
        let response = self.send(url, accepted).await?;
        self.check(response).await
    }

    async fn send(&self, url: &str, accepted: &str) -> Result<Response, ImageError> {
        let login = self.login.lock().unwrap_or_else(PoisonError::into_inner).clone();
        login.on(self.client.get(url).header(ACCEPT, accepted)).send().await.map_err(|error| self.broken(error))
    }

    /// Turns a refusal into its true cause.
    async fn check(&self, response: Response) -> Result<Response, ImageError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = self.body_start(response).await;
        let reason = format!("it answered {status}{}{text}", if text.is_empty() { "" } else { ": " });
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused(reason)),
            StatusCode::NOT_FOUND => Err(ImageError::NotFound { reference: self.image.to_string() }),
            _ => Err(self.failed(reason)),
        }
    }

    /// What a challenge asks for.
    async fn answer(&self, response: &Response) -> Result<Login, ImageError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<_> = headers.filter_map(|header| challenge::parse(header.to_str().ok()?)).collect();
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer { realm, service } => Some((realm, service.as_deref())),
            Challenge::Basic => None,
        });
        if let Some((realm, service)) = bearer {
            return self.token(realm, service).await;
        }
        if challenges.is_empty() {
            return Err(self.refused("it answered 401 Unauthorized and does not say how to log in".to_owned()));
        }
        let wanted = || self.refused("it wants a name and a password, and none were given".to_owned());
        self.credentials.clone().map(Login::Password).ok_or_else(wanted)
    }

    async fn token(&self, realm: &str, service: Option<&str>) -> Result<Login, ImageError> {
        let url = self.token_server(realm)?;
        let scope = format!("repository:{}:pull", self.image.repository);
        let mut request = self.client.get(url).query(&[("scope", scope.as_str())]);
        if let Some(service) = service {
            request = request.query(&[("service", service)]);
        }
        let login = self.credentials.clone().map_or(Login::Anonymous, Login::Password);
        let response = login.on(request).send().await.map_err(|error| self.broken(error))?;
        if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.refused(format!("its token server answered {}", response.status())));
        }
        if !response.status().is_success() {
            return Err(self.failed(format!("its token server answered {}", response.status())));
        }
        let bytes = self.body(response, TOKEN_BYTES).await?.unwrap_or_default();
        let token = serde_json::from_slice::<Token>(&bytes).ok().and_then(|token| token.token.or(token.access_token));
        let token = token.ok_or_else(|| self.failed("its token server answered without a token".to_owned()))?;
        let header = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut header = header.map_err(|_| self.failed("its token is no text for a header".to_owned()))?;
        header.set_sensitive(true);
        Ok(Login::Token(header))
    }

    /// Where a token may be fetched: encrypted, and with a password only from a trusted host.
    fn token_server(&self, realm: &str) -> Result<Url, ImageError> {
        let shown: String = realm.chars().take(200).collect::<String>().escape_debug().to_string();
        let url = Url::parse(realm).map_err(|_| self.failed(format!("it names `{shown}` as its token server, which is no URL")))?;
        let host = authority(&url);
        let is_registry = self.base.strip_prefix("http://").is_some_and(|own| own == host);
        if url.scheme() != "https" && !(self.plain && is_registry && url.scheme() == "http") {
            return Err(self.refused(format!("its token server `{shown}` is not encrypted")));
        }
        if self.credentials.is_some() && !self.trusted.contains(&host) {
            let advice = format!("list `{host}` as a token server of {} if that is right", self.image.registry);
            return Err(self.refused(format!("it wants the password sent to another host, `{shown}`: {advice}")));
        }
        Ok(url)
    }

    /// A body up to a limit; none when it is longer.
    async fn body(&self, mut response: Response, limit: u64) -> Result<Option<Vec<u8>>, ImageError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// What an error says, as far as it can be shown.
    async fn body_start(&self, mut response: Response) -> String {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend(chunk);
            if bytes.len() > ERROR_BYTES {
                break;
            }
        }
        let text: String = String::from_utf8_lossy(&bytes).chars().take(ERROR_BYTES).collect();
        text.trim().escape_debug().to_string()
    }

    /// The connection failed, or broke.
    pub(super) fn broken(&self, error: reqwest::Error) -> ImageError {
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            reason = format!("{reason}: {inner}");
            cause = inner.source();
        }
        ImageError::Unreachable { registry: self.image.registry.clone(), reason }
    }

    fn refused(&self, reason: String) -> ImageError {
        ImageError::NotAuthorised { reference: self.image.to_string(), reason }
    }

    pub(super) fn failed(&self, reason: String) -> ImageError {
        ImageError::Registry { registry: self.image.registry.clone(), reason }
    }
}

/// Host, with its port where the URL names one.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
