//! `cluster bench`: measures a part of the product beside a reference; each prints one JSON line.

use clap::Subcommand;

use crate::failure::Failure;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {}

impl Bench {
    /// Measures.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {}
    }
}
