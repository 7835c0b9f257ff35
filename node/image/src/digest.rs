//! Digests: `sha256:` and 64 lower-case hexadecimal digits. The only way to one is through the check, so that a digest is safe to use
//! as a file name.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A checked SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Digest(String);

impl Digest {
    /// Accepts `sha256:` and 64 lower-case hexadecimal digits, nothing else.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if cluster_types::is_digest(text) {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(100).collect();
        Err(format!("`{}` is not a sha256 digest", shown.escape_debug()))
    }

    /// The digest of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::from_hash(Sha256::new_with_prefix(bytes))
    }

    /// The digest of what a hash has seen.
    pub(crate) fn from_hash(hash: Sha256) -> Self {
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }

    /// The 64 digits: a safe file name.
    pub(crate) fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// In full.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_sha256_digests_pass() {
        let good = Digest::of(b"").to_string();
        assert_eq!(good, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(Digest::parse(&good).is_ok());
        let upper = good.to_uppercase();
        let long = format!("{good}0");
        for text in ["", "sha256:", "sha256:../../../../etc/passwd", "sha512:00", &upper, &long, &good[..70], "sha256:\u{0}"] {
            assert!(Digest::parse(text).is_err(), "{text} was accepted");
            assert!(serde_json::from_value::<Digest>(text.into()).is_err(), "{text} was read from JSON");
        }
    }
}
