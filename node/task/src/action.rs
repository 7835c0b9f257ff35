//! What the machine asks of a runtime, and how that went.

/// One verb of a runtime. All are idempotent, so one that was cut short by a crash is simply asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Fetch the image, make the root file system.
    Prepare,
    /// Start the prepared container.
    Start,
    /// Ask the container to stop.
    Stop,
    /// Remove every trace of it.
    Remove,
}

impl Action {
    /// Whether the memory that came with the action must be on disk before it is carried out. Only the image and the root file system may
    /// come into being unrecorded: making them again does no harm.
    #[must_use]
    pub fn needs_memory_saved(self) -> bool {
        match self {
            Self::Prepare => false,
            Self::Start | Self::Stop | Self::Remove => true,
        }
    }

    /// The word for logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Remove => "remove",
        }
    }
}

/// How an action went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The runtime did it, or had done it before.
    Done,
    /// This host cannot run it and would fail again, as the text says.
    Rejected(String),
    /// It failed, as the text says.
    Failed(String),
}
