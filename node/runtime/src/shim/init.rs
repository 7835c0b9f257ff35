//! PID 1 of a container, and the last steps before its program. libcontainer calls this inside the finished container.
//!
//! As init it runs the program as its child, passes every signal on to it, reaps whatever is orphaned, and ends with the program's code:
//! the kernel then kills what is left. Otherwise the program becomes PID 1 itself.

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use oci_spec::runtime::Spec;

use super::credentials::Credentials;
use super::{fork, program, slim};

/// Exit code when the container could not be made what it has to be, as docker uses it.
pub(crate) const NOT_STARTED: i32 = 128;

/// The executor that libcontainer runs.
#[derive(Debug, Clone)]
pub(super) struct Init {
    credentials: Rc<Credentials>,
    as_init: bool,
    /// Closed by a successful exec; otherwise the reason is written here.
    status: Rc<OwnedFd>,
}

/// Why the program did not start, as it came through the status pipe.
pub(super) struct StartFailure(pub(super) String);

impl Init {
    pub(super) fn new(credentials: Credentials, as_init: bool, status: Rc<OwnedFd>) -> Self {
        Self { credentials: Rc::new(credentials), as_init, status }
    }

    fn run(&self) -> i32 {
        if let Err(error) = self.credentials.apply() {
            return self.report(&format!("cannot give the process its user and privileges: {error}"), NOT_STARTED);
        }
        if !self.as_init {
            return self.execute();
        }
        // What `ps` in the container shows.
        let _ = nix::sys::prctl::set_name(c"init");
        let all = SigSet::all();
        if all.thread_block().is_err() {
            return self.report("cannot block signals", NOT_STARTED);
        }
        match fork::child(|| self.execute()) {
            Ok(program) => attend(program, all),
            Err(error) => self.report(&format!("cannot fork: {error}"), NOT_STARTED),
        }
    }

    /// Becomes the program.
    fn execute(&self) -> i32 {
        // Rust ignores SIGPIPE, the keeper blocks SIGCHLD, the init blocks all: the program starts with none of that.
        fork::default_signals();
        let _ = SigSet::empty().thread_set_mask();
        let failure = program::execute(&self.credentials.args, &self.credentials.env);
        self.report(&failure.reason, failure.code)
    }

    fn report(&self, reason: &str, code: i32) -> i32 {
        if let Ok(pipe) = self.status.try_clone() {
            let _ = std::fs::File::from(pipe).write_all(reason.as_bytes());
        }
        code
    }
}

impl Executor for Init {
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        fork::exit_now(self.run())
    }

    /// Everything was checked when the spec was made; the program is looked up by the user who runs it.
    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }

    /// The environment goes to the program only, not into this process.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}

/// The life of the init: system calls only. It holds no memory but its stack, for there is one in every container.
fn attend(program: Pid, all: SigSet) -> ! {
    // Also the status pipe: its end tells the launcher that the program runs. Nothing else is needed any more.
    close_everything();
    slim::slim_without_heap(|| {
        loop {
            match fork::wait_for_signal(&all) {
                number if number == Signal::SIGCHLD as i32 => {
                    if let Some(code) = reap(program) {
                        fork::exit_now(code);
                    }
                }
                number => fork::send(program, number),
            }
        }
    })
}

fn reap(program: Pid) -> Option<i32> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == program => code = Some(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => code = Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return code,
            Ok(_) => {}
        }
    }
}

fn close_everything() {
    // The streams stay open: a keeper that takes over finds the log's pipes here.
    // SAFETY: nothing in this process uses a descriptor above 2 from here on, and nothing that owns one is dropped: it ends with `_exit`.
    #[expect(unsafe_code, reason = "descriptors are closed behind the backs of their owners")]
    unsafe {
        libc::close_range(3, libc::c_uint::MAX, 0)
    };
}
