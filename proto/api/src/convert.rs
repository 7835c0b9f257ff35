//! Conversions between the domain's types and the wire's, one file per object.
//!
//! To the wire (`From<&types::X> for pb::X`) nothing can go wrong; fields that only the leader knows (`Node.leader`, `Service.running`,
//! `Task.service_name` …) stay empty for it to fill in. From the wire (`TryFrom<pb::X>`) nothing is trusted: an unknown enum number, a
//! missing message, an id or number that does not fit is an error that names the field. Whether a value makes sense is not judged here.

mod assignment;
mod container;
mod health;
mod job;
mod network;
mod network_view;
mod node;
mod placement;
mod rollout;
mod service;
mod spec;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cluster_types::{Meta, Timestamp, Version};

use crate::pb;

/// A field of a message that cannot be read, with the path to it (`spec.task.container.mounts[0].kind`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldError {
    /// Path of the field in its message.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FieldError {
    /// An error of one field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same error, seen from the message that holds `outer`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.starts_with('[') { format!("{outer}{}", self.field) } else { format!("{outer}.{}", self.field) };
        self
    }
}

/// A message that must be there, converted.
fn required<P, T: TryFrom<P, Error = FieldError>>(field: &str, message: Option<P>) -> Result<T, FieldError> {
    let message = message.ok_or_else(|| FieldError::new(field, "is missing"))?;
    T::try_from(message).map_err(|error| error.within(field))
}

/// A message that may be absent, converted.
fn optional<P, T: TryFrom<P, Error = FieldError>>(field: &str, message: Option<P>) -> Result<Option<T>, FieldError> {
    message.map(|message| T::try_from(message).map_err(|error| error.within(field))).transpose()
}

/// Each message of a list, converted.
fn list<P, T: TryFrom<P, Error = FieldError>>(field: &str, messages: Vec<P>) -> Result<Vec<T>, FieldError> {
    let convert = |(index, message)| T::try_from(message).map_err(|error: FieldError| error.within(&format!("[{index}]")).within(field));
    messages.into_iter().enumerate().map(convert).collect()
}

/// An enum by its number.
fn variant<P: TryFrom<i32>, T: From<P>>(field: &str, number: i32) -> Result<T, FieldError> {
    P::try_from(number).map(T::from).map_err(|_| FieldError::new(field, format!("{number} is not a known value")))
}

/// Two enums with the same values, converted both ways: of the domain, and of the wire.
macro_rules! same_values {
    ($domain:ty, $wire:ty: $($left:ident = $right:ident),+ $(,)?) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$left => Self::$right,)+
                }
            }
        }

        impl From<$wire> for $domain {
            fn from(value: $wire) -> Self {
                match value {
                    $(<$wire>::$right => Self::$left,)+
                }
            }
        }
    };
}
use same_values;

/// A text that must parse: an id, an address.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, FieldError> {
    text.parse().map_err(|error: T::Err| FieldError::new(field, error.to_string()))
}

/// A duration in whole milliseconds; saturates after half a billion years.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn stamp(at: Option<u64>) -> Option<Timestamp> {
    at.map(Timestamp)
}

fn to_map(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl From<&Meta> for pb::Meta {
    fn from(meta: &Meta) -> Self {
        Self { version: meta.version.0, created_ms: meta.created.0, updated_ms: meta.updated.0 }
    }
}

impl TryFrom<pb::Meta> for Meta {
    type Error = FieldError;

    fn try_from(meta: pb::Meta) -> Result<Self, FieldError> {
        Ok(Self { version: Version(meta.version), created: Timestamp(meta.created_ms), updated: Timestamp(meta.updated_ms) })
    }
}
