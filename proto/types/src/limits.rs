//! Limits on everything that comes from outside. One place, so that a reader finds them and a test can sit at their edge.

/// Largest message on the wire, in bytes (design: no message over 1 MiB).
pub const MESSAGE_BYTES: usize = 1 << 20;
/// Largest encoded spec, in bytes; refused before it is proposed (failures F5).
pub const SPEC_BYTES: usize = 512 << 10;
/// Most changes in one log entry that a plan produces.
pub const CHANGES_PER_ENTRY: usize = 2_000;
/// Longest name of a service, in characters (a DNS label).
pub const NAME_CHARACTERS: usize = 63;
/// Most replicas of one service.
pub const REPLICAS: u64 = 100_000;
/// Finished tasks kept for each slot (swarm's task history limit).
pub const TASK_HISTORY: usize = 5;
/// Smallest memory limit or reservation, in bytes (swarm: 4 MiB).
pub const MEMORY_BYTES_MIN: u64 = 4 << 20;
/// Smallest CPU limit or reservation, in billionths of a CPU (swarm: 0.001).
pub const NANO_CPUS_MIN: u64 = 1_000_000;
/// Objects in one page of a list.
pub const PAGE_OBJECTS: usize = 500;
/// Longest text kept of an error that a node reports, in bytes.
pub const ERROR_BYTES: usize = 2_048;
