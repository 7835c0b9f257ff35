//! I7: a task has at most one node, ever; and a node one number.

use cluster_types::{Event, Object};

use super::Found;

pub(super) fn follow(event: &Event) -> Found {
    match (&event.object, &event.before) {
        (Object::Task(task), Some(Object::Task(before))) if before.node.is_some() && before.node != task.node => {
            Err(format!("task {} moves from one node to another", task.id.short()))
        }
        (Object::Task(task), Some(Object::Task(before))) if !before.addresses.is_empty() && before.addresses != task.addresses => {
            Err(format!("task {} gets other addresses", task.id.short()))
        }
        (Object::Node(node), Some(Object::Node(before))) if before.number.is_some() && before.number != node.number => {
            Err(format!("node {} gets another number", node.id.short()))
        }
        _ => Ok(()),
    }
}
