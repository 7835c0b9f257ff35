//! Hands rules to the `nft` program, which applies them as one transaction, and asks it what a table has.

use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::NetworkError;

/// Applies a document, all or nothing.
///
/// # Errors
/// When `nft` is missing or refuses.
pub(crate) async fn apply(document: &str) -> Result<(), NetworkError> {
    let output = run(&["-f", "-"], document).await?;
    if output.status.success() { Ok(()) } else { Err(NetworkError::Rules(String::from_utf8_lossy(&output.stderr).trim().to_owned())) }
}

/// What a table has, in a form that does not depend on the order in which it was made. None when there is no such table.
///
/// # Errors
/// When `nft` cannot be run.
pub(crate) async fn list(table: &str) -> Result<Option<String>, NetworkError> {
    let output = run(&["list", "table", "ip", table], "").await?;
    Ok(output.status.success().then(|| in_order(&String::from_utf8_lossy(&output.stdout))))
}

async fn run(arguments: &[&str], input: &str) -> Result<Output, NetworkError> {
    let mut child = Command::new("nft")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| NetworkError::Rules(format!("cannot run nft ({error}): install the package nftables")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A broken pipe means that nft refused early; its words come with the exit.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    child.wait_with_output().await.map_err(|error| NetworkError::Rules(error.to_string()))
}

/// Sorts the sets and chains of a listing, and the elements of each set.
fn in_order(listing: &str) -> String {
    let mut blocks: Vec<String> = listing.split("\n\t}\n").map(|block| elements_in_order(block.trim_start())).collect();
    blocks.sort_unstable();
    blocks.join("\n\t}\n")
}

fn elements_in_order(block: &str) -> String {
    const BEGIN: &str = "elements = {";
    let parts = block.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    let Some((head, (elements, tail))) = parts else { return block.to_owned() };
    let mut elements: Vec<&str> = elements.split(',').map(str::trim).collect();
    elements.sort_unstable();
    format!("{head}{BEGIN} {} }}{tail}", elements.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_making_does_not_matter() {
        let (set, chain) = ("\tset a {\n\t\telements = { 1,\n\t\t\t     2 }\n\t}\n", "\tchain b {\n\t\tdrop\n\t}\n");
        let turned = "\tset a {\n\t\telements = { 2, 1 }\n\t}\n";
        let listing = |one: &str, other: &str| in_order(&format!("table ip t {{\n\tset z {{\n\t}}\n{one}{other}}}\n"));
        assert_eq!(listing(set, chain), listing(chain, turned));
        assert_ne!(listing(set, chain), listing(chain, "\tset a {\n\t\telements = { 1 }\n\t}\n"));
    }
}
