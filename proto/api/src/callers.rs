//! Who may call which method: a table made by the build from `option (allow)` in the `.proto` files. A path that is not in it is refused.

/// Who a caller is, told by its certificate or by the socket it came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// No certificate.
    Anyone,
    /// A worker's certificate.
    Worker,
    /// A manager's certificate.
    Manager,
    /// Root or the group `cluster` on a daemon's unix socket, or a manager that forwards for one.
    Operator,
}

/// Every method's path with the callers that may use it.
pub const TABLE: &[(&str, &[CallerKind])] = include!(concat!(env!("OUT_DIR"), "/callers.rs"));

/// Whether `caller` may call the method at `path` (`/cluster.v1.Control/ListNodes`). Methods for anyone are open to all.
#[must_use]
pub fn allowed(path: &str, caller: CallerKind) -> bool {
    let callers = TABLE.iter().find(|(known, _)| *known == path).map_or(&[] as &[CallerKind], |(_, callers)| *callers);
    callers.contains(&caller) || callers.contains(&CallerKind::Anyone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_cannot_control_and_unknown_paths_are_closed() {
        assert!(allowed("/cluster.v1.Control/ListNodes", CallerKind::Operator));
        assert!(!allowed("/cluster.v1.Control/ListNodes", CallerKind::Worker));
        assert!(!allowed("/cluster.v1.Raft/Append", CallerKind::Worker));
        assert!(allowed("/cluster.v1.Ca/Issue", CallerKind::Anyone));
        assert!(!allowed("/cluster.v1.Ca/Nothing", CallerKind::Manager));
    }
}
