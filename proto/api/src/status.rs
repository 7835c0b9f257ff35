//! Where domain errors meet gRPC statuses: both ways, and nowhere else.
//!
//! A status carries, beside gRPC's code and message, a stable code (`cluster-code`), what to do next (`cluster-hint-bin`) and the fields that
//! are wrong (`cluster-field-bin`, once for each). All of it travels in HTTP/2 headers, so texts are cut to fit their limit.

mod rejection;
#[cfg(test)]
mod tests;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::FieldError;

/// Longest message, in bytes. Percent-encoding may triple it; hyper takes 16 KiB of headers in all.
const MESSAGE_BYTES: usize = 1_536;
/// Longest hint, in bytes.
const HINT_BYTES: usize = 768;
/// Most fields named, and the longest text for one, in bytes.
const FIELDS: usize = 12;
const FIELD_BYTES: usize = 256;

const CODE_KEY: &str = "cluster-code";
const HINT_KEY: &str = "cluster-hint-bin";
const FIELD_KEY: &str = "cluster-field-bin";

/// Stable codes: what `cluster` prints as `error[E0501]`. A code is never given another meaning.
pub mod code {
    /// The daemon is in no cluster.
    pub const NO_CLUSTER: &str = "E0102";
    /// The daemon is in a cluster already.
    pub const IN_CLUSTER: &str = "E0103";
    /// The join token is malformed, of another cluster, rotated away or expired.
    pub const TOKEN: &str = "E0104";
    /// The two clocks differ too much for certificates.
    pub const CLOCK: &str = "E0105";
    /// A manager's address does not answer.
    pub const MANAGER_UNREACHABLE: &str = "E0106";
    /// Fields of a request or spec are wrong.
    pub const INVALID: &str = "E0201";
    /// No object has that id or name.
    pub const NOT_FOUND: &str = "E0401";
    /// Several objects have that id prefix or name.
    pub const AMBIGUOUS: &str = "E0402";
    /// The name is taken.
    pub const NAME_TAKEN: &str = "E0403";
    /// Somebody else changed the object meanwhile.
    pub const CHANGED: &str = "E0404";
    /// The caller may not do that.
    pub const DENIED: &str = "E0410";
    /// The object is not in a state that allows it.
    pub const PRECONDITION: &str = "E0420";
    /// There is no leader: too few managers answer.
    pub const NO_LEADER: &str = "E0501";
    /// The step would cost the managers their quorum.
    pub const QUORUM: &str = "E0502";
    /// Not reachable just now for another reason; a retry may help.
    pub const UNAVAILABLE: &str = "E0503";
    /// It took longer than the caller waits.
    pub const TIMEOUT: &str = "E0504";
    /// A disk is full.
    pub const DISK_FULL: &str = "E0505";
    /// An image cannot be read, fetched or kept.
    pub const IMAGE: &str = "E0601";
    /// A defect of the program, or a damaged disk.
    pub const INTERNAL: &str = "E0900";
}

/// What kind of error it is: decides the gRPC code and the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// The caller may not.
    Denied,
    /// Somebody else was faster, or has the name.
    Conflict,
    /// Cannot be done now; a retry may help.
    Unavailable,
    /// The object or the cluster is not in a state that allows it.
    Precondition,
    /// A deadline passed.
    Timeout,
    /// A disk is full.
    Full,
    /// A defect, or a damaged disk.
    Internal,
}

/// A domain error as callers get it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind.
    pub kind: Kind,
    /// One of [`code`], or a newer server's.
    pub code: String,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Fields that are wrong; only for [`Kind::Invalid`].
    pub fields: Vec<FieldError>,
}

impl ApiError {
    /// An error of a kind, with its code and words.
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), hint: None, fields: Vec::new() }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Fields that are wrong; the message names them all.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let message = fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { fields, ..Self::new(Kind::Invalid, code::INVALID, message) }
    }

    /// Nothing of that `noun` has the id or name `reference`.
    #[must_use]
    pub fn not_found(noun: &str, reference: &str) -> Self {
        Self::new(Kind::NotFound, code::NOT_FOUND, format!("no {noun} has the id or name `{reference}`"))
    }

    /// Several of that `noun` have the prefix or name `reference`.
    #[must_use]
    pub fn ambiguous(noun: &str, reference: &str, count: usize) -> Self {
        Self::new(Kind::Invalid, code::AMBIGUOUS, format!("`{reference}` means {count} {noun}s: give more characters of the id"))
    }

    /// The caller may not do that.
    #[must_use]
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, code::DENIED, message)
    }

    /// Somebody else was faster.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code::CHANGED, message).hint("look at it again, then repeat the command")
    }

    /// The object is not in a state that allows it.
    #[must_use]
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(Kind::Precondition, code::PRECONDITION, message)
    }

    /// No leader is known or reachable.
    #[must_use]
    pub fn no_leader(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, code::NO_LEADER, message)
            .hint("running tasks keep running; bring back enough managers for a majority, then repeat the command")
    }

    /// Not reachable just now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, code::UNAVAILABLE, message)
    }

    /// A defect, or a damaged disk.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, code::INTERNAL, message)
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        Self::invalid(vec![error])
    }
}

impl From<Vec<FieldError>> for ApiError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::invalid(errors)
    }
}

impl From<FieldError> for Status {
    fn from(error: FieldError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let mut metadata = MetadataMap::new();
        if let Ok(code) = MetadataValue::try_from(&error.code) {
            metadata.insert(CODE_KEY, code);
        }
        if let Some(hint) = &error.hint {
            metadata.insert_bin(HINT_KEY, MetadataValue::from_bytes(cut(hint, HINT_BYTES).as_bytes()));
        }
        for field in error.fields.iter().take(FIELDS) {
            let line = format!("{}\n{}", field.field, field.reason);
            metadata.append_bin(FIELD_KEY, MetadataValue::from_bytes(cut(&line, FIELD_BYTES).as_bytes()));
        }
        Self::with_metadata(grpc(error.kind), cut(&error.message, MESSAGE_BYTES), metadata)
    }
}

impl From<Status> for ApiError {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl From<&Status> for ApiError {
    fn from(status: &Status) -> Self {
        let kind = kind(status.code());
        let metadata = status.metadata();
        let code = metadata.get(CODE_KEY).and_then(|code| code.to_str().ok()).map_or_else(|| default_code(kind).to_owned(), str::to_owned);
        let hint = metadata.get_bin(HINT_KEY).and_then(|hint| hint.to_bytes().ok());
        let hint = hint.map(|hint| String::from_utf8_lossy(&hint).into_owned());
        let fields = metadata.get_all_bin(FIELD_KEY).iter().filter_map(|line| field(&line.to_bytes().ok()?)).collect();
        let message = if status.message().is_empty() { format!("{:?}", status.code()) } else { status.message().to_owned() };
        Self { kind, code, message, hint, fields }
    }
}

fn field(line: &[u8]) -> Option<FieldError> {
    let line = String::from_utf8_lossy(line);
    let (field, reason) = line.split_once('\n')?;
    Some(FieldError::new(field, reason))
}

/// At most `most` bytes of a text, cut between characters, with a mark where it was cut.
fn cut(text: &str, most: usize) -> String {
    const MARK: &str = " ...";
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

fn grpc(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Denied => Code::PermissionDenied,
        Kind::Conflict => Code::Aborted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Timeout => Code::DeadlineExceeded,
        Kind::Full => Code::ResourceExhausted,
        Kind::Internal => Code::Internal,
    }
}

fn kind(code: Code) -> Kind {
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => Kind::Invalid,
        Code::NotFound => Kind::NotFound,
        Code::PermissionDenied | Code::Unauthenticated => Kind::Denied,
        Code::Aborted | Code::AlreadyExists => Kind::Conflict,
        Code::Unavailable | Code::Cancelled => Kind::Unavailable,
        Code::FailedPrecondition => Kind::Precondition,
        Code::DeadlineExceeded => Kind::Timeout,
        Code::ResourceExhausted => Kind::Full,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Kind::Internal,
    }
}

fn default_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => code::INVALID,
        Kind::NotFound => code::NOT_FOUND,
        Kind::Denied => code::DENIED,
        Kind::Conflict => code::CHANGED,
        Kind::Unavailable => code::UNAVAILABLE,
        Kind::Precondition => code::PRECONDITION,
        Kind::Timeout => code::TIMEOUT,
        Kind::Full => code::DISK_FULL,
        Kind::Internal => code::INTERNAL,
    }
}
