//! `inspect`: whole objects as JSON in the shape that users of docker know; what docker has no field for is left out or stands beside it.

mod generic;
mod network;
mod node;
mod service;
mod spec;
mod task;

use cluster_types::Meta;
use serde_json::{Map, Value, json};

use super::age::rfc3339;
use super::output::Format;

/// All objects: an indented array as docker prints it, or with `--format json` one object a line.
pub(crate) fn print(objects: &[Value], format: Format) -> String {
    match format {
        Format::Json => objects.iter().map(|object| format!("{object}\n")).collect(),
        Format::Table => format!("{:#}\n", Value::Array(objects.to_vec())),
    }
}

/// What every object begins with.
fn head(id: &str, meta: &Meta) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("ID".to_owned(), json!(id));
    object.insert("Version".to_owned(), json!({ "Index": meta.version.0 }));
    object.insert("CreatedAt".to_owned(), json!(rfc3339(meta.created)));
    object.insert("UpdatedAt".to_owned(), json!(rfc3339(meta.updated)));
    object
}

/// Sets a field unless its value says nothing: docker leaves such fields out.
fn put(object: &mut Map<String, Value>, key: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::Bool(_) => false,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    if !empty {
        object.insert(key.to_owned(), value);
    }
}

/// The word that a value has in JSON.
pub(crate) fn words(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Nanoseconds, as docker writes durations.
fn nanoseconds(duration: std::time::Duration) -> Value {
    json!(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
