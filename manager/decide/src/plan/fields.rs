//! The fields in which two specs differ, by their names in the spec. Walks the specs as data, so that a new field needs nothing here.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_types::ServiceSpec;
use serde_json::{Map, Value};

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path, such as `task.container.image`.
    pub field: String,
    /// What it was; none when it was not set. Of a list, the entries that go.
    pub before: Option<String>,
    /// What it will be. Of a list, the entries that come.
    pub after: Option<String>,
}

/// What differs from the old spec, or for a new service from one that says nothing.
#[must_use]
pub fn changes(old: Option<&ServiceSpec>, new: &ServiceSpec) -> Vec<FieldChange> {
    let nothing = ServiceSpec::default();
    let mut changes = Vec::new();
    walk("", &data(old.unwrap_or(&nothing)), &data(new), &mut changes);
    if old.is_none() {
        changes.iter_mut().for_each(|change| change.before = None);
    }
    changes
}

/// The spec as data, with what has a form for people in that form.
fn data(spec: &ServiceSpec) -> Value {
    // Plain data can always be written.
    let mut data = serde_json::to_value(spec).unwrap_or(Value::Null);
    let placement = &spec.task.placement;
    set(&mut data, "constraints", placement.constraints.iter().map(ToString::to_string).collect());
    set(&mut data, "affinities", placement.affinities.iter().map(ToString::to_string).collect());
    data
}

fn set(data: &mut Value, field: &str, texts: Vec<String>) {
    if let Some(list) = data.pointer_mut("/task/placement").and_then(|placement| placement.get_mut(field)) {
        *list = Value::from(texts);
    }
}

fn walk(path: &str, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => changes.push(lists(path, old, new)),
        (Value::Object(old), Value::Object(new)) if duration(old).is_none() && duration(new).is_none() => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let value = |fields: &Map<String, Value>| fields.get(key).cloned().unwrap_or(Value::Null);
                walk(&join(path, key), &value(old), &value(new), changes);
            }
        }
        // A part that is new or gone is told field by field too.
        (Value::Object(fields), Value::Null) if duration(fields).is_none() && !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| walk(&join(path, key), value, &Value::Null, changes));
        }
        (Value::Null, Value::Object(fields)) if duration(fields).is_none() && !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| walk(&join(path, key), &Value::Null, value, changes));
        }
        _ if text(old) != text(new) => changes.push(FieldChange { field: path.to_owned(), before: text(old), after: text(new) }),
        _ => {}
    }
}

fn join(path: &str, key: &str) -> String {
    let is_plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (path, is_plain) {
        (_, false) => format!("{path}[{key}]"),
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
    }
}

/// The entries that differ; all of them when only their order does.
fn lists(path: &str, old: &[Value], new: &[Value]) -> FieldChange {
    let only = |list: &[Value], other: &[Value]| -> Vec<Value> { list.iter().filter(|entry| !other.contains(entry)).cloned().collect() };
    let (gone, come) = (only(old, new), only(new, old));
    let (gone, come) = if gone.is_empty() && come.is_empty() { (old.to_vec(), new.to_vec()) } else { (gone, come) };
    FieldChange { field: path.to_owned(), before: text(&Value::Array(gone)), after: text(&Value::Array(come)) }
}

/// A value for people; none for nothing.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(entries) if entries.is_empty() => None,
        Value::Array(entries) => Some(entries.iter().filter_map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => None,
        Value::Object(fields) => duration(fields).map(|duration| format!("{duration:?}")).or_else(|| {
            let field = |(key, value): (&String, &Value)| Some(format!("{key}={}", text(value)?));
            Some(fields.iter().filter_map(field).collect::<Vec<_>>().join(" "))
        }),
    }
}

/// A span of time is written as seconds and nanoseconds.
fn duration(fields: &Map<String, Value>) -> Option<Duration> {
    let (secs, nanos) = (fields.get("secs")?.as_u64()?, fields.get("nanos")?.as_u64()?);
    Some(Duration::new(secs, u32::try_from(nanos).ok()?)).filter(|_| fields.len() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::spec;
    use cluster_types::{RestartPolicy, ServiceMode};

    fn told(old: Option<&ServiceSpec>, new: &ServiceSpec) -> Vec<String> {
        let side = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        changes(old, new).into_iter().map(|change| format!("{}: {} -> {}", change.field, side(change.before), side(change.after))).collect()
    }

    #[test]
    fn the_same_spec_has_no_changes() {
        assert_eq!(told(Some(&spec()), &spec()), [] as [&str; 0]);
    }

    #[test]
    fn each_field_is_named_with_both_values() {
        let (mut old, mut new) = (spec(), spec());
        old.task.container.env = vec!["A=1".to_owned(), "B=2".to_owned()];
        new.task.container.env = vec!["A=1".to_owned(), "B=3".to_owned(), "C=4".to_owned()];
        new.task.container.image = "web:2".to_owned();
        new.mode = ServiceMode::Replicated { replicas: 5 };
        new.task.restart = RestartPolicy { delay: Duration::from_millis(1_500), ..old.task.restart };
        new.task.placement.constraints = vec!["node.labels.zone==a".parse().unwrap()];
        new.labels.insert("com.example/team".to_owned(), "a".to_owned());
        assert_eq!(
            told(Some(&old), &new),
            [
                "labels[com.example/team]: - -> a",
                "mode.replicated.replicas: 3 -> 5",
                "task.container.env: B=2 -> B=3, C=4",
                "task.container.image: web:1 -> web:2",
                "task.placement.constraints: - -> node.labels.zone == a",
                "task.restart.delay: 5s -> 1.5s",
            ]
        );
    }

    #[test]
    fn a_new_service_is_told_by_what_it_sets() {
        assert_eq!(told(None, &spec()), ["mode.replicated.replicas: - -> 3", "name: - -> web", "task.container.image: - -> web:1"]);
    }

    #[test]
    fn a_list_in_another_order_is_told_as_a_whole() {
        let (mut old, mut new) = (spec(), spec());
        old.task.container.args = vec!["a".to_owned(), "b".to_owned()];
        new.task.container.args = vec!["b".to_owned(), "a".to_owned()];
        assert_eq!(told(Some(&old), &new), ["task.container.args: a, b -> b, a"]);
    }
}
