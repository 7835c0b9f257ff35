//! The host's images for the command line: an archive that arrives in pieces, and images as the wire has them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use cluster_api::status::code;
use cluster_api::{ApiError, Kind, pb};
use cluster_image::{Image, ImageError, PullProgress};
use tokio::sync::mpsc;

/// A stream of pieces as something to read from, on a thread that may block.
pub(crate) struct Pieces {
    incoming: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Pieces {
    /// Reads what is sent into the other end of the channel.
    pub(crate) fn new(incoming: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { incoming, current: Bytes::new() }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.incoming.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.current.len());
        self.current.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

/// An image for the wire.
pub(crate) fn image(image: &Image) -> pb::Image {
    let created = image.created.as_deref().and_then(|text| {
        let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
    });
    pb::Image {
        id: image.id.clone(),
        names: image.names.clone(),
        digest: image.digest.clone(),
        created_ms: created.unwrap_or_default(),
        size: image.size,
    }
}

/// How far a pull is, over all its parts.
#[derive(Debug, Default)]
pub(crate) struct Downloads {
    parts: BTreeMap<String, (u64, u64)>,
}

impl Downloads {
    /// Takes a step in; gives the bytes so far and in all, as far as they are known.
    pub(crate) fn take(&mut self, step: PullProgress) -> (u64, u64) {
        match step {
            PullProgress::Downloading { digest, received, total } => {
                self.parts.insert(digest, (received, total));
            }
            PullProgress::Manifest | PullProgress::Present { .. } | PullProgress::Unpacking => {}
        }
        self.parts.values().fold((0, 0), |(done, total), (part, of)| (done + part, total + of))
    }
}

/// A refusal of the store, with its kind: what the user did wrong is told apart from what the registry or the disk did.
pub(crate) fn refusal(error: &ImageError) -> ApiError {
    let kind = match error {
        ImageError::Io { .. } => Kind::Internal,
        ImageError::Missing(_) | ImageError::NotFound { .. } => Kind::NotFound,
        ImageError::NotAuthorised { .. } => Kind::Denied,
        ImageError::Unreachable { .. } => Kind::Unavailable,
        ImageError::Locked(_) | ImageError::InUse { .. } | ImageError::Platform { .. } | ImageError::Registry { .. } => Kind::Precondition,
        ImageError::Archive(_)
        | ImageError::Manifest { .. }
        | ImageError::Layer { .. }
        | ImageError::Digest { .. }
        | ImageError::Reference(_)
        | ImageError::Ambiguous(_) => Kind::Invalid,
    };
    ApiError::new(kind, code::IMAGE, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_as_one_and_an_error_ends_them() {
        let (send, receive) = mpsc::channel(4);
        for piece in [Ok(Bytes::from_static(b"ab")), Ok(Bytes::new()), Ok(Bytes::from_static(b"cde"))] {
            send.try_send(piece).unwrap();
        }
        let mut reader = Pieces::new(receive);
        let mut text = [0; 4];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"abcd");
        send.try_send(Err(io::Error::other("cut off"))).unwrap();
        assert_eq!(reader.read(&mut text).unwrap(), 1);
        assert!(reader.read(&mut text).is_err());
    }
}
