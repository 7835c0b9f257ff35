//! The node's image store as the runtime sees it.

use async_trait::async_trait;
use cluster_image::{Image, ImageStore};

use super::config::{ImageHold, ImageSource, LocalImage};
use crate::RuntimeError;
use crate::spec::ImageSettings;

#[async_trait]
impl ImageSource for ImageStore {
    async fn ensure(&self, reference: &str) -> Result<LocalImage, RuntimeError> {
        let image = ImageStore::ensure(self, reference).await;
        image.map(local).map_err(|error| RuntimeError::Image { image: reference.to_owned(), reason: error.to_string() })
    }

    fn hold(&self, id: &str) -> Option<ImageHold> {
        ImageStore::hold(self, id).ok().map(|hold| Box::new(hold) as ImageHold)
    }
}

fn local(image: Image) -> LocalImage {
    let config = image.config;
    let health = config.health();
    let settings = ImageSettings {
        entrypoint: config.entrypoint,
        cmd: config.cmd,
        env: config.env,
        workdir: config.workdir,
        user: config.user,
        stop_signal: config.stop_signal.unwrap_or_default(),
        health,
    };
    LocalImage { id: image.id, settings, layers: image.layers }
}
