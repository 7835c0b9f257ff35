//! The managers' shell.
pub mod ca;
pub mod clock;
