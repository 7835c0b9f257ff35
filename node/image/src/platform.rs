//! Which images run on this host: Linux, and the processor that this program was compiled for.

use crate::error::ImageError;

/// This host's processor, as images name it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Whether an image for this system and processor runs here. An empty text is a wildcard: old images say nothing.
pub(crate) fn runs_here(os: &str, arch: &str) -> bool {
    (os.is_empty() || os == "linux") && (arch.is_empty() || arch == architecture())
}

/// The refusal of an image that is for `found` only.
pub(crate) fn refusal(found: impl Into<String>) -> ImageError {
    ImageError::Platform { found: found.into(), host: format!("linux/{}", architecture()) }
}
