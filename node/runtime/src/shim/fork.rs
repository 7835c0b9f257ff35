//! The few operations on processes that the compiler cannot check, each with the reason why it is sound here.

use std::io;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, Pid, fork};

/// Refuses to go on in a process with several threads: its forks would inherit locks that nobody will open.
pub(super) fn require_single_thread() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads == 1 {
        return Ok(());
    }
    Err(io::Error::other(format!("the shim must run before any thread is made, but there are {threads}")))
}

/// Runs `body` in a child process and ends that with its result. The caller must have a single thread (checked once by
/// [`require_single_thread`]; nothing in this module tree makes another).
pub(super) fn child(body: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: this process has one thread, so the child's memory is a consistent copy and no lock in it is held.
    #[expect(unsafe_code, reason = "fork has no safe form")]
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => exit_now(std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(70)),
    }
}

/// Ends this process without running what the parent registered for its exit.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any number and does not return.
    #[expect(unsafe_code, reason = "_exit has no safe form")]
    unsafe {
        libc::_exit(code)
    }
}

/// Children are reaped by the kernel.
pub(super) fn ignore_children() -> io::Result<()> {
    set_signal(Signal::SIGCHLD, SigHandler::SigIgn)
}

/// Gives a signal its default effect.
pub(super) fn default_signal(signal: Signal) -> io::Result<()> {
    set_signal(signal, SigHandler::SigDfl)
}

/// Gives every signal its default effect: an agent that was started in the background of a script ignores some, and what is ignored stays
/// so in every program that comes after.
pub(super) fn default_signals() {
    for signal in Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP)) {
        // Known signals that can be set: this cannot fail.
        let _ = default_signal(signal);
    }
}

fn set_signal(signal: Signal, handler: SigHandler) -> io::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: only `SIG_IGN` and `SIG_DFL` are passed, no code of ours runs in a handler.
    #[expect(unsafe_code, reason = "sigaction has no safe form")]
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

/// Waits for one of the blocked signals and gives its number (real-time signals included, which nix's `SigSet::wait` cannot name).
pub(super) fn wait_for_signal(blocked: &SigSet) -> i32 {
    let mut number = 0;
    // SAFETY: both pointers are to live values of the right type.
    #[expect(unsafe_code, reason = "sigwait has no form that knows real-time signals")]
    unsafe {
        libc::sigwait(blocked.as_ref(), &raw mut number)
    };
    number
}

/// Sends a signal by number, real-time signals included.
pub(super) fn send(pid: Pid, number: i32) {
    // SAFETY: `kill` takes any numbers.
    #[expect(unsafe_code, reason = "kill has no form that knows real-time signals")]
    unsafe {
        libc::kill(pid.as_raw(), number)
    };
}
