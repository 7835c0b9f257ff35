//! The `cluster` binary: reads the command line, runs one command, prints its error and gives its exit code.

mod arguments;
mod client;
mod commands;
mod connect;
mod failure;
mod model;
mod print;
mod render;
mod spec;
mod suggest;
mod usage;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// How the runtime starts this program as the parent of its containers. Hidden: it is no command for people.
const SHIM: &str = "shim";

fn main() -> ExitCode {
    // Before anything that makes a thread: the shim forks.
    if std::env::args_os().nth(1).is_some_and(|word| word == SHIM) {
        cluster_runtime::shim::shim_main();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::report(&error),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Prints a failure and gives its exit code.
fn report(failure: &Failure) -> ExitCode {
    if failure.exit != Exit::Done {
        print::raw_words(render::error::error(failure, render::paint::Paint::stderr()).trim_end());
    }
    ExitCode::from(failure.exit as u8)
}

/// Commands that need no daemon run here; all others with a connection.
fn run(arguments: Arguments) -> Result<(), Failure> {
    let (host, identity) = (arguments.host(), arguments.identity);
    match &arguments.command {
        Command::Service(service) => service.check()?,
        Command::Network(network) => network.check()?,
        _ => {}
    }
    match arguments.command {
        Command::Daemon(daemon) => daemon.run(),
        Command::Completions(completions) => completions.run(),
        Command::Bench(bench) => bench.run(&host, identity.as_deref()),
        command => runtime()?.block_on(async {
            let client = Client::open(&host, identity.as_deref()).await?;
            talk(command, &client).await
        }),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn talk(command: Command, client: &Client) -> Result<(), Failure> {
    match command {
        Command::Init(init) => init.run(client).await,
        Command::Join(join) => join.run(client).await,
        Command::Leave(leave) => leave.run(client).await,
        Command::JoinToken(token) => token.run(client).await,
        Command::Status(status) => status.run(client).await,
        Command::Node(node) => node.run(client).await,
        Command::Service(service) => service.run(client).await,
        Command::Rollout(rollout) => rollout.run(client).await,
        Command::Why(why) => why.run(client).await,
        Command::Rebalance(rebalance) => rebalance.run(client).await,
        Command::Scale(scale) => scale.run(client).await,
        Command::Network(network) => network.run(client).await,
        Command::Image(image) => image.run(client).await,
        Command::Daemon(_) | Command::Completions(_) | Command::Bench(_) => Ok(()),
    }
}
