//! A small HTTP server whose answers a test decides, also dishonest ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::digest::Digest;
use crate::fixture::Pieces;
use crate::store::StoreConfig;

/// A request that came in.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) authorization: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Bytes that are announced but never sent.
    pub(super) withheld: usize,
}

pub(super) fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply { status: 200, body: body.into(), ..Reply::default() }
}

pub(super) fn status(status: u16) -> Reply {
    Reply { status, ..Reply::default() }
}

pub(super) fn challenge(header: &str) -> Reply {
    Reply { status: 401, headers: vec![("WWW-Authenticate", header.to_owned())], ..Reply::default() }
}

pub(super) struct Server {
    pub(super) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, &seen, &*answer).await });
            }
        });
        Self { address, requests, task }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How often something with this in its path was asked for.
    pub(super) fn count(&self, part: &str) -> usize {
        self.requests().iter().filter(|request| request.path.contains(part)).count()
    }

    /// Settings for a store that may speak plain HTTP to this server.
    pub(super) fn config(&self) -> StoreConfig {
        StoreConfig { plain_http: vec![self.address.clone()], ..StoreConfig::default() }
    }

    /// A reference to `web` here, `suffix` being `:tag` or `@digest`.
    pub(super) fn image(&self, suffix: &str) -> cluster_types::ImageRef {
        format!("{}/web{suffix}", self.address).parse().unwrap()
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &(dyn Fn(&Request) -> Reply + Send + Sync)) {
    let mut lines = BufReader::new(&mut stream).lines();
    let Ok(Some(first)) = lines.next_line().await else { return };
    let mut request = Request { path: first.split(' ').nth(1).unwrap_or_default().to_owned(), authorization: None };
    while let Ok(Some(line)) = lines.next_line().await
        && !line.is_empty()
    {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("authorization: ") {
            request.authorization = Some(line[line.len() - value.len()..].to_owned());
        }
    }
    seen.lock().unwrap().push(request.clone());
    let reply = answer(&request);
    let mut text = format!("HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, reply.body.len() + reply.withheld);
    for (key, value) in &reply.headers {
        text += &format!("{key}: {value}\r\n");
    }
    text += "\r\n";
    let _ = stream.write_all(&[text.as_bytes(), &reply.body].concat()).await;
    let _ = stream.shutdown().await;
}

/// An honest registry's answers for one image under every tag.
pub(super) fn registry(pieces: &Pieces) -> impl Fn(&Request) -> Reply + Send + Sync + Clone + use<> {
    let blobs: HashMap<_, _> =
        pieces.blobs.iter().chain([&pieces.manifest]).map(|blob| (Digest::of(blob).to_string(), blob.clone())).collect();
    let manifest = pieces.manifest.clone();
    move |request| {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        match blobs.get(last) {
            Some(blob) => ok(blob.clone()),
            None if request.path.contains("/manifests/sha256:") || request.path.contains("/blobs/") => status(404),
            None if last == "missing" => {
                Reply { status: 404, body: json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).to_string().into(), ..Reply::default() }
            }
            None => ok(manifest.clone()),
        }
    }
}
