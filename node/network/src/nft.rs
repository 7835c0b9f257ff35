//! Hands a rules document to the `nft` program, which applies it as one transaction.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::NetworkError;

/// Applies a document, all or nothing.
///
/// # Errors
/// When `nft` is missing or refuses.
pub async fn apply(document: &str) -> Result<(), NetworkError> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| NetworkError::Rules(format!("cannot run nft ({error}): install the package nftables")))?;
    if let Some(mut input) = child.stdin.take() {
        // A broken pipe means that nft refused early; its words come with the exit.
        let _ = input.write_all(document.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| NetworkError::Rules(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(NetworkError::Rules(String::from_utf8_lossy(&output.stderr).trim().to_owned())) }
}
