//! I6: no task goes back, neither its state nor what is wanted of it.

use cluster_types::{Event, EventKind, Object};

use super::Found;

pub(super) fn follow(event: &Event) -> Found {
    let (Object::Task(task), Some(Object::Task(before)), EventKind::Updated) = (&event.object, &event.before, event.kind) else {
        return Ok(());
    };
    let ended = before.status.state.is_terminal();
    if task.status.state < before.status.state {
        return Err(format!("task {} goes back from {} to {}", task.id.short(), before.status.state, task.status.state));
    }
    if ended && task.status.state != before.status.state {
        return Err(format!("task {} ended as {} and is {} now", task.id.short(), before.status.state, task.status.state));
    }
    if task.desired < before.desired {
        return Err(format!("task {} was wanted {} and is wanted {} again", task.id.short(), before.desired, task.desired));
    }
    Ok(())
}
