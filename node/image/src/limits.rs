//! How much an image may ask of this host before it is refused. Generous for real images, small against a bomb.

/// A manifest or an index, in bytes (the size that registries accept is the same 4 MiB).
pub(crate) const MANIFEST_BYTES: u64 = 4 << 20;
/// An image configuration, in bytes.
pub(crate) const CONFIG_BYTES: u64 = 8 << 20;
/// Layers of one image. overlayfs takes more; docker stops at 127.
pub(crate) const LAYERS: usize = 127;
/// Entries of one manifest list or index.
pub(crate) const INDEX_ENTRIES: usize = 512;
/// Files and links in an image archive.
pub(crate) const ARCHIVE_ENTRIES: u64 = 8192;
/// All members of an image archive together, uncompressed, in bytes.
pub(crate) const ARCHIVE_BYTES: u64 = 64 << 30;
/// Files, folders and links in one layer.
pub(crate) const LAYER_ENTRIES: u64 = 2_000_000;
/// One layer, uncompressed, in bytes.
pub(crate) const LAYER_BYTES: u64 = 32 << 30;
/// Uncompressed bytes for each compressed byte, looked at once a stream is beyond [`RATIO_FROM`].
pub(crate) const RATIO: u64 = 300;
/// Below this many uncompressed bytes no ratio is suspicious.
pub(crate) const RATIO_FROM: u64 = 128 << 20;
/// Headers that describe one entry of a tar (long names, extended attributes), in bytes.
pub(crate) const ENTRY_HEADERS: u64 = 1 << 20;
/// A path inside a layer, in bytes; the kernel takes 4096 with its final zero.
pub(crate) const PATH_BYTES: usize = 4000;
/// One name in a path, in bytes: the limit of Linux file systems.
pub(crate) const NAME_BYTES: usize = 255;
/// Links that are followed from one member of an image archive to another.
pub(crate) const ARCHIVE_LINKS: usize = 8;
