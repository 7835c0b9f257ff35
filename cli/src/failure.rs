//! How a command fails: a stable code, what happened, why, what to do next, and the exit code (`cli.md`).

use std::fmt;

use cluster_api::status::{ApiError, Kind, code};

/// The exit codes of `cluster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing went wrong.
    Done = 0,
    /// Any other error.
    Error = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Not allowed.
    Denied = 4,
    /// Somebody else was faster, or has the name.
    Conflict = 5,
    /// Not converged: no node can take the tasks.
    Placement = 6,
    /// Not converged: the tasks fail.
    Tasks = 7,
    /// The change was taken back.
    RolledBack = 8,
    /// The deadline passed.
    Timeout = 9,
    /// No leader or no daemon: a retry may help.
    Unavailable = 75,
    /// Ctrl-C: only the watching ended.
    Interrupted = 130,
}

/// Why a command failed, in the parts that are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// `E0501`; none for errors of usage.
    pub(crate) code: Option<Box<str>>,
    pub(crate) what: String,
    pub(crate) causes: Vec<String>,
    pub(crate) fixes: Vec<String>,
    /// A last line, such as that nothing was changed.
    pub(crate) note: Option<String>,
}

impl Failure {
    /// An error with a code.
    pub(crate) fn new(code: &str, what: impl Into<String>) -> Self {
        let code = Some(code.into());
        Self { exit: Exit::Error, code, what: what.into(), causes: Vec::new(), fixes: Vec::new(), note: None }
    }

    /// The command line cannot be understood.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code: None, what: what.into(), causes: Vec::new(), fixes: Vec::new(), note: None }
    }

    /// The same with another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same with a cause.
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same with something to do next.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }

    /// The same with a last line.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let exit = exit_of(error.kind);
        let several = error.fields.len() > 1;
        let what = if several { format!("{} fields are refused", error.fields.len()) } else { error.message };
        let causes = if several { error.fields.iter().map(ToString::to_string).collect() } else { Vec::new() };
        let fixes = error.hint.into_iter().chain(usual_fix(&error.code)).take(1).collect();
        let note = (error.kind == Kind::Invalid).then(|| "Nothing was changed.".to_owned());
        Self { exit, code: Some(error.code.into()), what, causes, fixes, note }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::from(ApiError::from(status))
    }
}

impl From<cluster_api::FieldError> for Failure {
    fn from(error: cluster_api::FieldError) -> Self {
        Self::new("E0901", "the answer cannot be read").cause(error.to_string()).fix("use a `cluster` of the daemon's version")
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("E0902", error.to_string())
    }
}

fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::NotFound => Exit::NotFound,
        Kind::Denied => Exit::Denied,
        Kind::Conflict => Exit::Conflict,
        Kind::Unavailable => Exit::Unavailable,
        Kind::Timeout => Exit::Timeout,
        Kind::Invalid | Kind::Precondition | Kind::Full | Kind::Internal => Exit::Error,
    }
}

/// What to do next where the server did not say.
fn usual_fix(code: &str) -> Option<String> {
    let fix = match code {
        code::NO_CLUSTER => "make a cluster: cluster init     or join one: cluster join --token TOKEN HOST:4740",
        code::TOKEN => "get a token on a manager: cluster join-token worker",
        code::CLOCK => "set the clock (timedatectl set-ntp true), then repeat the command",
        code::NO_LEADER => "bring back enough managers for a majority; running tasks keep running meanwhile",
        code::DISK_FULL => "free space; the manager goes on by itself",
        _ => return None,
    };
    Some(fix.to_owned())
}
