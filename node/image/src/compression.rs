//! Uncompresses layers and archives. What the bytes say counts, not what a media type or a file name claims.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// Bytes that tell every form apart.
const MAGIC: u64 = 5;

/// The uncompressed stream of a plain, gzip (also of several members) or zstd one.
pub(crate) fn open<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = BufReader::with_capacity(128 << 10, source);
    // A pipe may give one byte at a time.
    let mut start = Vec::new();
    source.by_ref().take(MAGIC).read_to_end(&mut start)?;
    let source = Cursor::new(start.clone()).chain(source);
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(source)?),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(unsupported("xz")),
        [b'B', b'Z', b'h', ..] => return Err(unsupported("bzip2")),
        _ => Box::new(source),
    })
}

/// What OCI media types end in for the form of this file: nothing, `+gzip` or `+zstd`.
pub(crate) fn suffix(path: &Path) -> io::Result<&'static str> {
    let mut start = Vec::new();
    File::open(path)?.take(MAGIC).read_to_end(&mut start)?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => "+gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "+zstd",
        _ => "",
    })
}

fn unsupported(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{name} compression is not supported; use gzip, zstd or none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_form_reads_the_same() {
        let two_members = [gzip(b"hello "), gzip(b"layers")].concat();
        let zstd = zstd::encode_all(&b"hello layers"[..], 1).unwrap();
        for form in [b"hello layers".to_vec(), two_members, zstd] {
            let mut text = String::new();
            open(&form[..]).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello layers");
        }
        assert!(open(&b"\xfd7zXZ\0rest"[..]).is_err_and(|error| error.to_string().contains("xz")));
    }
}
