//! Tests of pulling: from an honest server, from hostile ones, and from Debian's registry.

mod distribution;
mod server;

use std::sync::Mutex;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::fixture::{Pieces, Small, Tar, layer, pieces, pointer};
use crate::store::{ImageStore, StoreConfig};
use server::{Reply, Request, Server, challenge, ok, registry, status};

fn store(config: StoreConfig) -> (TempDir, ImageStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = ImageStore::open_with(dir.path(), config).unwrap();
    (dir, store)
}

fn two_layers() -> Pieces {
    pieces(&[layer("base"), Tar::new().folder("etc/").file("etc/motd", "top").done()])
}

fn ann() -> Option<Credentials> {
    Some(("ann".to_owned(), "secret".to_owned()))
}

/// Pulls into an empty store and expects a refusal that leaves nothing visible.
async fn refusal(server: &Server, suffix: &str, credentials: Option<Credentials>) -> ImageError {
    let (dir, store) = store(server.config());
    let error = store.pull(&server.image(suffix), credentials, |_| {}).await.expect_err("was pulled");
    assert_eq!(store.list(), []);
    drop(store);
    let store = ImageStore::open(dir.path()).unwrap();
    assert_eq!(store.list(), []);
    let left = std::fs::read_dir(dir.path().join("blobs/sha256")).unwrap().count();
    assert_eq!(left, 0, "what no image needs is swept away when the store is opened");
    error
}

#[tokio::test]
async fn an_image_is_pulled_once_and_then_used_without_a_call() {
    let pieces = two_layers();
    let server = Server::start(registry(&pieces)).await;
    let (dir, store) = store(server.config());
    let steps = Arc::new(Mutex::new(Vec::new()));
    let image = {
        let steps = Arc::clone(&steps);
        store.pull(&server.image(":1"), None, move |step| steps.lock().unwrap().push(step)).await.unwrap()
    };
    assert_eq!(image.names, [server.image(":1").to_string()]);
    assert_eq!(image.digest, Digest::of(&pieces.manifest).to_string());
    assert_eq!(std::fs::read_to_string(image.layers[1].join("etc/motd")).unwrap(), "top");
    let steps = steps.lock().unwrap().clone();
    assert_eq!((steps.first(), steps.last()), (Some(&PullProgress::Manifest), Some(&PullProgress::Unpacking)));
    assert!(steps.iter().any(|step| matches!(step, PullProgress::Downloading { received, total, .. } if received == total)));
    drop((store, server));
    let store = ImageStore::open(dir.path()).unwrap();
    assert_eq!(store.ensure(&image.names[0]).await.unwrap(), image, "the registry is gone, the image is here");
}

#[tokio::test]
async fn callers_that_want_the_same_image_share_one_pull() {
    let server = Server::start(registry(&two_layers())).await;
    let (_dir, store) = store(server.config());
    let name = server.image(":1").to_string();
    let pulls = (0..8).map(|_| store.ensure(&name));
    let images = futures::future::join_all(pulls).await;
    assert!(images.iter().all(|image| image.as_ref().unwrap().id == images[0].as_ref().unwrap().id));
    assert_eq!((server.count("/manifests/"), server.count("/blobs/")), (1, 3));
}

#[tokio::test]
async fn all_who_share_a_pull_hear_why_it_failed_and_the_next_one_tries_again() {
    let server = Server::start(|_: &Request| status(503)).await;
    let (_dir, store) = store(server.config());
    let name = server.image(":1").to_string();
    for error in futures::future::join_all((0..4).map(|_| store.ensure(&name))).await {
        assert!(matches!(error, Err(ImageError::Registry { reason, .. }) if reason.contains("503")));
    }
    assert_eq!(server.count("/manifests/"), 1);
    store.ensure(&name).await.unwrap_err();
    assert_eq!(server.count("/manifests/"), 2);
}

#[tokio::test]
async fn the_true_cause_is_named() {
    let server = Server::start(registry(&two_layers())).await;
    assert!(matches!(refusal(&server, ":missing", None).await, ImageError::NotFound { .. }));
    let closed = Server::start(|_: &Request| status(500)).await;
    let (image, config) = (closed.image(":1"), closed.config());
    drop(closed);
    tokio::task::yield_now().await;
    let (_dir, store) = store(config);
    let error = store.pull(&image, None, |_| {}).await.unwrap_err();
    assert!(matches!(&error, ImageError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn plain_http_is_spoken_only_where_it_is_listed() {
    let server = Server::start(registry(&two_layers())).await;
    let (_dir, store) = store(StoreConfig::default());
    let error = store.pull(&server.image(":1"), ann(), |_| {}).await.unwrap_err();
    assert!(matches!(error, ImageError::Unreachable { .. }), "{error}");
    assert!(server.requests().iter().all(|request| request.authorization.is_none() && !request.path.contains("/v2/")));
}

/// Lets requests through that carry this header, and challenges the others.
async fn guarded(pieces: &Pieces, wanted: &'static str, header: &'static str) -> Server {
    let inside = registry(pieces);
    Server::start(move |request| match request.authorization.as_deref() {
        _ if request.path.starts_with("/token") => ok(json!({"token": "abc"}).to_string()),
        Some(found) if found == wanted => inside(request),
        _ => challenge(header),
    })
    .await
}

#[tokio::test]
async fn a_password_is_asked_for_and_used() {
    // The header is "ann:secret" in base64.
    let server = guarded(&two_layers(), "Basic YW5uOnNlY3JldA==", "Basic realm=\"x\"").await;
    let error = refusal(&server, ":1", None).await.to_string();
    assert!(error.contains("not authorised") && error.contains("none were given"), "{error}");
    let error = refusal(&server, ":1", Some(("ann".to_owned(), "wrong".to_owned()))).await.to_string();
    assert!(error.contains("not authorised") && error.contains("401"), "{error}");
    let (_dir, store) = store(server.config());
    assert!(store.pull(&server.image(":1"), ann(), |_| {}).await.is_ok());
}

#[tokio::test]
async fn a_token_is_fetched_from_the_registry_itself() {
    let inside = registry(&two_layers());
    let own = Arc::new(Mutex::new(String::new()));
    let server = {
        let own = Arc::clone(&own);
        Server::start(move |request| match request.authorization.as_deref() {
            _ if request.path.starts_with("/token") => ok(json!({"token": "abc"}).to_string()),
            Some("Bearer abc") => inside(request),
            _ => challenge(&format!("Bearer realm=\"http://{}/token\",service=\"s\"", own.lock().unwrap())),
        })
        .await
    };
    own.lock().unwrap().clone_from(&server.address);
    let (_dir, store) = store(server.config());
    store.pull(&server.image(":1"), ann(), |_| {}).await.unwrap();
    let asked = server.requests().into_iter().find(|request| request.path.starts_with("/token")).unwrap();
    assert!(asked.path.contains("repository%3Aweb%3Apull") && asked.path.contains("service=s"), "{}", asked.path);
    assert_eq!(asked.authorization.as_deref(), Some("Basic YW5uOnNlY3JldA=="));
}

#[tokio::test]
async fn the_password_is_not_sent_to_a_host_that_the_registry_names() {
    let thief = Server::start(|_: &Request| ok(r#"{"token":"x"}"#)).await;
    for (scheme, reason) in [("https", "another host"), ("http", "not encrypted")] {
        let header = format!("Bearer realm=\"{scheme}://{}/token\"", thief.address);
        let server = Server::start(move |_| challenge(&header)).await;
        let error = refusal(&server, ":1", ann()).await.to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(thief.requests().len(), 0);
    }
}

#[tokio::test]
async fn the_password_does_not_follow_a_redirect() {
    let pieces = two_layers();
    let elsewhere = Server::start(registry(&pieces)).await;
    let (inside, target) = (registry(&pieces), elsewhere.address.clone());
    let server = Server::start(move |request| match request.authorization {
        None => challenge("Basic"),
        Some(_) if request.path.contains("/blobs/") => {
            Reply { status: 307, headers: vec![("Location", format!("http://{target}{}", request.path))], ..Reply::default() }
        }
        Some(_) => inside(request),
    })
    .await;
    let (_dir, store) = store(server.config());
    store.pull(&server.image(":1"), ann(), |_| {}).await.unwrap();
    assert_eq!(elsewhere.requests().len(), 3);
    assert!(elsewhere.requests().iter().all(|request| request.authorization.is_none()));
}

#[tokio::test]
async fn a_token_that_is_no_header_is_refused() {
    let own = Arc::new(Mutex::new(String::new()));
    let address = Arc::clone(&own);
    let server = Server::start(move |request| match request.path.starts_with("/token") {
        true => ok(json!({"token": "a\r\nEvil: yes"}).to_string()),
        false => challenge(&format!("Bearer realm=\"http://{}/token\"", address.lock().unwrap())),
    })
    .await;
    own.lock().unwrap().clone_from(&server.address);
    assert!(refusal(&server, ":1", None).await.to_string().contains("no text for a header"));
}

/// A registry that is honest but for what `change` makes of its answers to paths with `part`.
async fn bent(pieces: &Pieces, part: String, change: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Server {
    let inside = registry(pieces);
    Server::start(move |request| if request.path.contains(&part) { change(inside(request)) } else { inside(request) }).await
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_promises_is_refused() {
    let pieces = two_layers();
    let last = Digest::of(&pieces.blobs[2]).to_string();
    let flip = |mut reply: Reply| {
        reply.body[20] ^= 1;
        reply
    };
    let server = bent(&pieces, last.clone(), flip).await;
    assert!(matches!(refusal(&server, ":1", None).await, ImageError::Digest { expected, .. } if expected == last));
    let short = |mut reply: Reply| {
        reply.body.pop();
        reply
    };
    let server = bent(&pieces, last.clone(), short).await;
    assert!(matches!(refusal(&server, ":1", None).await, ImageError::Digest { .. }));
    let long = |mut reply: Reply| {
        reply.body.push(0);
        reply
    };
    let server = bent(&pieces, last, long).await;
    assert!(refusal(&server, ":1", None).await.to_string().contains("more than"));
    let other = format!("@{}", Digest::of(b"another"));
    let (manifest, honest) = (pieces.manifest.clone(), registry(&pieces));
    let server =
        Server::start(move |request| if request.path.contains("/manifests/") { ok(manifest.clone()) } else { honest(request) }).await;
    assert!(matches!(refusal(&server, &other, None).await, ImageError::Digest { .. }));
}

#[tokio::test]
async fn a_pull_that_was_cut_off_continues_with_what_is_missing() {
    let pieces = two_layers();
    let last = Digest::of(&pieces.blobs[2]).to_string();
    let cuts = Mutex::new(1);
    let cut = move |mut reply: Reply| {
        let mut left = cuts.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            reply.withheld = reply.body.split_off(10).len();
        }
        reply
    };
    let server = bent(&pieces, last.clone(), cut).await;
    let (dir, store) = store(server.config());
    let name = server.image(":1").to_string();
    // The other content comes first, so that it is here when the cut happens.
    let error = store.ensure(&name).await.unwrap_err();
    assert!(matches!(error, ImageError::Unreachable { .. }), "{error}");
    assert_eq!((store.resolve(&name), store.list()), (None, vec![]));
    assert!(!dir.path().join("blobs/sha256").join(last.trim_start_matches("sha256:")).exists());
    assert!(store.ensure(&name).await.is_ok());
    assert_eq!(server.count(&last), 2);
}

#[tokio::test]
async fn a_full_disk_is_named_and_given_back() {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(3 << 20)
    .collect();
    let server = Server::start(registry(&pieces(&[layer("base"), Tar::new().file("big", noise).done()]))).await;
    let disk = Small::new();
    let store = ImageStore::open_with(&disk.path().join("images"), server.config()).unwrap();
    let error = store.pull(&server.image(":1"), None, |_| {}).await.unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(store.list(), []);
    for folder in ["blobs/sha256", "layers", "tmp"] {
        assert_eq!(std::fs::read_dir(disk.path().join("images").join(folder)).unwrap().count(), 0, "{folder}");
    }
}

#[tokio::test]
async fn oversized_and_ambiguous_manifests_are_refused() {
    let server = Server::start(|_: &Request| ok(vec![b' '; 5 << 20])).await;
    assert!(refusal(&server, ":1", None).await.to_string().contains("larger than"));
    let both = json!({"schemaVersion": 2, "manifests": [], "layers": [], "config": pointer("", b"")}).to_string();
    let server = Server::start(move |_| ok(both.clone())).await;
    assert!(refusal(&server, ":1", None).await.to_string().contains("ambiguous"));
}

#[tokio::test]
async fn the_image_of_this_host_is_taken_from_an_index() {
    let pieces = two_layers();
    let entry = |os: &str, arch: &str, bytes: &[u8]| {
        let mut entry = pointer(MANIFEST_TYPES[0], bytes);
        entry["platform"] = json!({"os": os, "architecture": arch});
        entry
    };
    let here = entry("linux", crate::platform::architecture(), &pieces.manifest);
    let index = json!({"schemaVersion": 2, "manifests": [entry("linux", "s390x", b"other"), here]}).to_string();
    let (honest, text, digest) = (registry(&pieces), index.clone(), Digest::of(index.as_bytes()).to_string());
    let serves = format!("/manifests/{digest}");
    let server = Server::start(move |request| {
        if request.path.ends_with("/manifests/1") || request.path.ends_with(&serves) { ok(text.clone()) } else { honest(request) }
    })
    .await;
    let (_dir, store) = store(server.config());
    let image = store.pull(&server.image(":1"), None, |_| {}).await.unwrap();
    assert_eq!((image.digest.as_str(), image.index.as_deref()), (Digest::of(&pieces.manifest).as_str(), Some(digest.as_str())));
    let pinned = server.image(&format!(":1@{digest}")).to_string();
    assert_eq!(store.resolve(&pinned).map(|found| found.id), Some(image.id.clone()), "a digest of the index means the image too");
    let image = store.pull(&pinned.parse().unwrap(), None, |_| {}).await.unwrap();
    assert_eq!(image.names, [server.image(":1").to_string(), server.image(&format!("@{digest}")).to_string()]);
}
