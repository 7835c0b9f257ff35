//! Why a service is changed: kept in its history. A flag of every command that changes one.

use clap::Args;

/// The words for the history.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Note {
    /// Why, for the service's history
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) message: String,
}
