//! The task template: its sizes and restart policy. The container and the placement have modules of their own.

use cluster_types::{Limits, NodeLoss, Reservation, RestartPolicy, TaskSpec, bytes, limits};

use super::{Problems, container, duration, networks, placement};

pub(super) fn check(problems: &mut Problems, task: &TaskSpec) {
    problems.within("container", |problems| container::check(problems, task));
    networks::attachments(problems, task);
    problems.within("reservation", |problems| reservation(problems, task.reservation));
    problems.within("limits", |problems| limit(problems, task.limits, task.reservation));
    problems.within("restart", |problems| restart(problems, task.restart));
    if let NodeLoss::Replace { after } = task.on_node_lost {
        duration(problems, "on_node_lost", after);
    }
    problems.within("placement", |problems| placement::check(problems, &task.placement));
    placement::generic(problems, &task.generic);
}

fn reservation(problems: &mut Problems, reservation: Reservation) {
    cpus(problems, reservation.nano_cpus);
    memory(problems, reservation.memory);
}

fn limit(problems: &mut Problems, limit: Limits, reserved: Reservation) {
    cpus(problems, limit.nano_cpus);
    memory(problems, limit.memory);
    if limit.nano_cpus > 0 && limit.nano_cpus < reserved.nano_cpus {
        problems.add("nano_cpus", "is less than what is reserved");
    }
    if limit.memory > 0 && limit.memory < reserved.memory {
        problems.add("memory", format!("is less than the {} that are reserved", bytes::print_bytes(reserved.memory)));
    }
    if limit.pids > limits::PIDS_MAX {
        problems.add("pids", format!("{} are more than a kernel can have: at most {}", limit.pids, limits::PIDS_MAX));
    }
}

fn cpus(problems: &mut Problems, nano_cpus: u64) {
    if nano_cpus != 0 && !(limits::NANO_CPUS_MIN..=limits::NANO_CPUS_MAX).contains(&nano_cpus) {
        problems.add("nano_cpus", "must be from 0.001 to 10000 CPUs, or 0 for none");
    }
}

fn memory(problems: &mut Problems, memory: u64) {
    if memory != 0 && !(limits::MEMORY_BYTES_MIN..=limits::MEMORY_BYTES_MAX).contains(&memory) {
        problems.add("memory", format!("{} is out of range: from 4 MiB to 64 TiB, or 0 for none", bytes::print_bytes(memory)));
    }
}

fn restart(problems: &mut Problems, restart: RestartPolicy) {
    duration(problems, "delay", restart.delay);
    duration(problems, "max_delay", restart.max_delay);
    duration(problems, "window", restart.window);
    if restart.max_attempts > limits::RESTART_ATTEMPTS {
        let most = limits::RESTART_ATTEMPTS;
        problems.add("max_attempts", format!("{} are too many to count: at most {most}, or 0 for no limit", restart.max_attempts));
    }
}
