//! Pulls from Debian's `docker-registry`, a real one, what another client has pushed there.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;

use super::*;
use crate::fixture::{config, gzip};

/// A registry on loopback, over plain HTTP. It ends with the test.
struct Registry {
    child: Child,
    address: String,
    _dir: TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    async fn start(users: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let auth = users.map_or(String::new(), |users| {
            std::fs::write(dir.path().join("users"), users).unwrap();
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", dir.path().join("users").display())
        });
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n{auth}",
            dir.path().display()
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, text).unwrap();
        let child = spawn(&file);
        let mut registry = Self { child, address, _dir: dir };
        registry.wait().await;
        registry
    }

    /// Until it accepts connections.
    async fn wait(&mut self) {
        loop {
            if tokio::net::TcpStream::connect(&self.address).await.is_ok() {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("docker-registry ended at once: {status}");
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn store(&self) -> (TempDir, ImageStore) {
        store(StoreConfig { plain_http: vec![self.address.clone()], ..StoreConfig::default() })
    }

    async fn push(&self, layers: &[Vec<u8>], auth: &RegistryAuth) {
        let protocol = ClientProtocol::HttpsExcept(vec![self.address.clone()]);
        let client = Client::new(ClientConfig { protocol, ..ClientConfig::default() });
        let packed: Vec<_> = layers.iter().map(|layer| ImageLayer::oci_v1_gzip(gzip(layer), None)).collect();
        let config = Config::oci_v1(config(layers).to_string().into_bytes(), None);
        let reference = format!("{}/web:1", self.address).parse().unwrap();
        client.push(&reference, &packed, config, auth, None).await.unwrap();
    }

    fn image(&self) -> ImageRef {
        format!("{}/web:1", self.address).parse().unwrap()
    }
}

fn spawn(config: &Path) -> Child {
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("docker-registry does not start ({error}): install the Debian package docker-registry"))
}

#[tokio::test]
async fn what_another_client_pushed_is_pulled() {
    let registry = Registry::start(None).await;
    let layers = [layer("base"), Tar::new().folder("etc/").file("etc/motd", vec![b'x'; 3 << 20]).done()];
    registry.push(&layers, &RegistryAuth::Anonymous).await;
    let (_dir, store) = registry.store();
    let image = store.ensure(&registry.image().to_string()).await.unwrap();
    assert_eq!(image.id, Digest::of(config(&layers).to_string().as_bytes()).to_string());
    assert_eq!(std::fs::metadata(image.layers[1].join("etc/motd")).unwrap().len(), 3 << 20);
    let absent = ImageRef { tag: Some("absent".to_owned()), ..registry.image() };
    assert!(matches!(store.pull(&absent, None, |_| {}).await, Err(ImageError::NotFound { .. })));
}

#[tokio::test]
async fn a_registry_with_users_wants_the_right_password() {
    // ann, secret
    let registry = Registry::start(Some("ann:$2y$04$HHd08Pgs3q/N92VMv8HTnOSXq3w6jP5m.opTMEwnAQA/c.D5KddMy\n")).await;
    registry.push(&[layer("x")], &RegistryAuth::Basic("ann".to_owned(), "secret".to_owned())).await;
    let (_dir, store) = registry.store();
    for wrong in [None, Some(("ann".to_owned(), "wrong".to_owned()))] {
        let error = store.pull(&registry.image(), wrong, |_| {}).await.unwrap_err();
        assert!(matches!(error, ImageError::NotAuthorised { .. }), "{error}");
        assert_eq!(store.list(), []);
    }
    assert!(store.pull(&registry.image(), ann(), |_| {}).await.is_ok());
}
