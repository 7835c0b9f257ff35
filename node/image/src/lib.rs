//! The image store of a node: images by digest, imported from archives or pulled from registries, unpacked once and shared.
//!
//! It decides what of an image is trusted (every digest is checked, every path of a layer is resolved inside a jail) and owns the
//! folder that images live in. It does not mount anything and runs nothing: the runtime stacks the folders that [`Image::layers`]
//! names. Called by the runtime (`resolve`, `ensure`, `hold`) and by the agent for `cluster image …`.

mod archive;
mod compression;
mod config;
mod digest;
mod error;
#[cfg(test)]
mod fixture;
mod healthcheck;
mod image;
mod limits;
mod manifest;
mod platform;
mod pull;
mod store;
mod tape;
mod unpack;

pub use error::ImageError;
pub use image::{Image, ImageConfig};
pub use pull::PullProgress;
pub use store::{Hold, ImageStore, Removed, StoreConfig};
