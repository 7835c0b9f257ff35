//! `--dry-run` and `--check-version`: what a change would do, computed by the leader, and a change that does exactly that.

use clap::Args;
use cluster_api::pb;
use cluster_types::ServiceSpec;

use crate::client::{Client, answer};
use crate::failure::{Exit, Failure};
use crate::model::ServiceView;
use crate::print;
use crate::render::output::Format;
use crate::render::preview;

/// The flags of commands that change services.
#[derive(Debug, Clone, Args)]
pub(crate) struct DryRun {
    /// Say what would change and where tasks would be placed; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print what --dry-run says: table or json
    #[arg(long, value_enum, default_value_t, hide_default_value = true, hide_possible_values = true, env = "CLUSTER_FORMAT")]
    pub(crate) format: Format,
}

/// The flags of commands that change a service that is there.
#[derive(Debug, Clone, Args)]
pub(crate) struct Checked {
    #[command(flatten)]
    pub(crate) dry: DryRun,
    /// Only if the service still has this version, as --dry-run prints it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) check_version: Option<u64>,
}

/// Prints what the spec would do to a service, or as a new one.
pub(super) async fn preview(client: &Client, service: Option<&ServiceView>, spec: &ServiceSpec, format: Format) -> Result<(), Failure> {
    let reference = service.map(|service| service.service.id.to_string()).unwrap_or_default();
    let request = pb::PreviewServiceRequest { reference, spec: Some(spec.into()) };
    let previewed = answer(client.control().preview_service(request)).await?;
    print::data(&match format {
        Format::Table => preview::text(&spec.name, &previewed),
        Format::Json => format!("{}\n", preview::object(&spec.name, &previewed)),
    })?;
    if previewed.never.is_empty() {
        return Ok(());
    }
    let failure = Failure::new("E0308", format!("{} could never run: {}", spec.name, previewed.never)).exit(Exit::Placement);
    Err(failure.note("Nothing was changed."))
}
