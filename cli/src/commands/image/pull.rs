//! `cluster image pull`: the daemon of this host fetches an image.

use std::io::{IsTerminal, Read};

use clap::Args;
use cluster_api::pb;
use cluster_types::bytes::print_bytes;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::print;

/// Flags of `image pull`.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Image, such as nginx:1.27 or registry.example/shop/web:2
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// User at the registry; the password is taken from standard input or CLUSTER_REGISTRY_PASSWORD
    #[arg(short, long, env = "CLUSTER_REGISTRY_USER")]
    user: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Pull {
    /// Fetches it; prints its digest.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let request = pb::PullImageRequest { reference: self.reference.clone(), credentials: self.credentials()? };
        let mut messages = client.local()?.pull_image(request).await?.into_inner();
        let live = !self.quiet && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        while let Some(message) = messages.next().await {
            let message = message?;
            bar.set_length(message.total);
            bar.set_position(message.done);
            bar.set_message(format!("{} of {}", print_bytes(message.done), print_bytes(message.total)));
            if let Some(image) = message.image {
                bar.finish_and_clear();
                if !self.quiet {
                    print::words(&format!("ok  {} is here ({})", self.reference, print_bytes(image.size)));
                }
                return print::data(&format!("{}\n", image.digest));
            }
        }
        Err(Failure::new("E0503", "the daemon ended the pull without a result").exit(Exit::Unavailable))
    }

    /// `user:password`; never taken from the command line, which others on the host can read.
    fn credentials(&self) -> Result<String, Failure> {
        let Some(user) = &self.user else { return Ok(String::new()) };
        let password = if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text)?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            std::env::var("CLUSTER_REGISTRY_PASSWORD").map_err(|_| {
                Failure::usage("there is no password for the registry").fix("give it with --password-stdin or in CLUSTER_REGISTRY_PASSWORD")
            })?
        };
        Ok(format!("{user}:{password}"))
    }
}
