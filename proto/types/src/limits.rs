//! Limits on everything that comes from outside. One place, so that a reader finds them and a test can sit at their edge.

use std::time::Duration;

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
/// Most restarts that a policy can count (0 is no limit): as many ended tasks are kept for each slot.
pub const RESTART_ATTEMPTS: u64 = 100;
/// Longest delay, window or grace period in a spec: a year. Adding one to a moment never overflows.
pub const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Largest memory limit or reservation, in bytes (64 TiB): all tasks of a service together still fit 64 bits.
pub const MEMORY_BYTES_MAX: u64 = 64 << 40;
/// Largest CPU limit or reservation, in billionths of a CPU (10 000 CPUs).
pub const NANO_CPUS_MAX: u64 = 10_000 * 1_000_000_000;
/// Most processes of a container: what the kernel can count.
pub const PIDS_MAX: u64 = 1 << 22;
/// Smallest memory limit or reservation, in bytes (swarm: 4 MiB).
pub const MEMORY_BYTES_MIN: u64 = 4 << 20;
/// Smallest CPU limit or reservation, in billionths of a CPU (swarm: 0.001).
pub const NANO_CPUS_MIN: u64 = 1_000_000;
/// Most preferences, affinities, platforms and kinds of generic resources of one service, each.
pub const PLACEMENT_TERMS: usize = 16;
/// Most instances of one kind of generic resource that a task is given.
pub const GENERIC_COUNT: u64 = 256;
/// Objects in one page of a list.
pub const PAGE_OBJECTS: usize = 500;
/// Longest text kept of an error that a node reports, in bytes.
pub const ERROR_BYTES: usize = 2_048;
/// Specs kept of each service: as many as `service rollback --to` can reach (Kubernetes: 10).
pub const REVISIONS: usize = 10;
/// Runs of a scheduled job that are remembered.
pub const JOB_RUNS: usize = 10;
/// Finished tasks kept of each job, beside those of the slots that are still at work.
pub const JOB_RECORDS: usize = 20;
/// Longest cron line, in bytes.
pub const CRON_BYTES: usize = 256;
/// Longest output kept of a probe, in bytes (Docker: 4 KiB).
pub const PROBE_BYTES: usize = 4 << 10;
/// Longest output kept of a task that failed, in bytes.
pub const OUTPUT_BYTES: usize = 1 << 10;
/// Longest message to a change of a service, in bytes.
pub const NOTE_BYTES: usize = 256;
