//! The processes between the agent and its containers. All of them are this program, started once as `shim` and then forked.
//!
//! ```text
//! agent ── spawner ─┬─ keeper (one for each container) ── launcher (ends after the start)
//!                   │             └─────────────────────── PID 1 of the container
//!                   └─ prober (one for each probe) ─────── a check inside the container
//! ```
//!
//! - The *spawner* is single-threaded, so that it may fork, and runs from a sealed copy of the program in memory: what a container can reach
//!   through `/proc/1/exe` cannot be written (CVE-2019-5736). It ends with the agent.
//! - A *keeper* leads a session of its own and outlives the agent. It is the container's parent: it keeps the log, waits, and writes how
//!   the container ended. Being a fork that touches little, it shares nearly all of its memory with the other keepers.
//! - The *launcher* calls libcontainer, which is made for a process that does nothing else: it changes directories, dumpability and
//!   namespaces of its caller.
//! - A *prober* runs one check inside a running container, kills what is left of it, and ends.
//! - *PID 1* is a small init that reaps and forwards signals, or with `--init=false` the program itself.

mod credentials;
mod fork;
mod init;
mod keeper;
mod launch;
pub(crate) mod message;
mod probe;
mod program;
mod root;
mod slim;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::Signal;

pub(crate) use init::NOT_STARTED;
pub(crate) use keeper::{UNKNOWN_CODE, UNKNOWN_END};

use message::{Request, Verb};

/// How strongly the kernel spares the spawner and the keepers when memory runs out; the containers themselves have 0.
const OOM_SCORE: &str = "-900";

/// Runs the spawner: takes requests on standard input until the agent closes it. The `main` of a program that offers `shim` calls this
/// first, before it makes a thread or a runtime.
pub fn shim_main() -> ! {
    let code = match spawner() {
        Ok(()) => 0,
        Err(error) => {
            // There is no log here; the agent's standard error is all there is.
            #[expect(clippy::print_stderr, reason = "the spawner has no other place to say why it cannot work")]
            {
                eprintln!("cluster shim: {error}");
            }
            1
        }
    };
    std::process::exit(code)
}

fn spawner() -> io::Result<()> {
    fork::require_single_thread()?;
    nix::unistd::setsid()?;
    // A failure leaves the default: nothing depends on it.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    // Whatever the agent's mask is: directories made in a container and its program get the usual one.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Keepers are not waited for: the kernel reaps them.
    fork::ignore_children()?;
    nix::sys::prctl::set_name(c"cluster-shim")?;
    let agent = std::io::stdin();
    while let Some((request, reply)) = message::receive(agent.as_fd())? {
        fork::child(|| keep(&request, reply))?;
        // The keeper has its own copy of the reply's descriptor; ours ended with the closure.
    }
    Ok(())
}

fn keep(request: &Request, reply: OwnedFd) -> i32 {
    let prepared = detach();
    match (prepared, request.verb) {
        (Err(error), _) => {
            message::reply(&reply, &message::Reply::Failed(format!("cannot start a process beside the agent: {error}")));
            1
        }
        (Ok(()), Verb::Start) => keeper::start(&request.folder(), reply),
        (Ok(()), Verb::Adopt) => keeper::adopt(&request.folder(), reply),
        (Ok(()), Verb::Probe(check)) => probe::run(&request.folder(), check, &reply),
    }
}

/// Makes a keeper or a prober independent of the agent: session, standard streams, children.
fn detach() -> io::Result<()> {
    nix::unistd::setsid()?;
    // SIGCHLD must reach the keeper again; the default disposition leaves zombies to wait for.
    fork::default_signal(Signal::SIGCHLD)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    nix::sys::prctl::set_name(c"cluster-keep")?;
    Ok(())
}
