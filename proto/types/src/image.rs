//! Image references: `nginx`, `shop/web:1.9`, `localhost:5000/web@sha256:…`, normalised as docker does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The registry that a reference without one means.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// A parsed reference. Prints in its full form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageRef {
    /// Registry host, with its port when given.
    pub registry: String,
    /// Repository path, lower case; official images have `library/` in front.
    pub repository: String,
    /// Tag; `latest` when neither tag nor digest was given.
    pub tag: Option<String>,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no image reference: {reason}")]
pub struct InvalidImageRef {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ImageRef {
    /// The short form that users type: without `docker.io/library/`, with the tag or digest.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let rest = full.strip_prefix("docker.io/").unwrap_or(&full);
        rest.strip_prefix("library/").unwrap_or(rest).to_owned()
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImageRef;

    fn from_str(text: &str) -> Result<Self, InvalidImageRef> {
        let refuse = |reason| InvalidImageRef { text: text.chars().take(256).collect(), reason };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) if is_digest(digest) => (name, Some(digest.to_owned())),
            Some(_) => return Err(refuse("the digest must be sha256: and 64 hexadecimal digits")),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (name, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(refuse("the tag may have 128 letters, digits and . _ - only"));
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host.to_owned(), path.to_owned()),
            Some(_) => (DEFAULT_REGISTRY.to_owned(), name.to_owned()),
            None => (DEFAULT_REGISTRY.to_owned(), format!("library/{name}")),
        };
        if !path.split('/').all(is_component) || path.len() > 255 {
            return Err(refuse("the repository must be lower-case letters, digits and single . _ - between them"));
        }
        if !is_host(&registry) {
            return Err(refuse("the registry is not a host name with an optional port"));
        }
        let tag = if tag.is_none() && digest.is_none() { Some("latest".to_owned()) } else { tag };
        Ok(Self { registry, repository: path, tag, digest })
    }
}

/// Whether a text is a digest that may be used as a file name after its colon: `sha256:` and 64 lower-case hexadecimal digits.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_component(part: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = part.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| edge(Some(b)) || b"._-".contains(b)) && !part.contains("..")
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    let label = |label: &str| {
        let edge = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(edge) && label.ends_with(edge) && label.chars().all(|c| edge(c) || c == '-')
    };
    name.split('.').all(label) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_normalised_as_docker_does() {
        for (given, full, familiar) in [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("shop/web:1.9", "docker.io/shop/web:1.9", "shop/web:1.9"),
            ("localhost:5000/web", "localhost:5000/web:latest", "localhost:5000/web:latest"),
            ("reg.example/a/b:2", "reg.example/a/b:2", "reg.example/a/b:2"),
        ] {
            let parsed: ImageRef = given.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.familiar().as_str()), (full, familiar));
        }
    }

    #[test]
    fn hostile_references_are_refused() {
        let long = "a".repeat(300);
        for text in ["", "UPPER", "../etc", "a/../b", "a//b", "web:", "web@sha256:zz", "web:-x", "ho st/a", "a.b:99999/c", long.as_str()] {
            assert!(text.parse::<ImageRef>().is_err(), "{text} was accepted");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_printing_is_stable(text: String) {
            if let Ok(image) = text.parse::<ImageRef>() {
                prop_assert_eq!(image.to_string().parse::<ImageRef>(), Ok(image));
            }
        }
    }
}
