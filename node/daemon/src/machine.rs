//! What this machine is: name, platform, capacity and boot. Read from the kernel at each call.

use std::fs;
use std::net::Ipv4Addr;

use cluster_types::{GenericPools, NodeDescription, Platform, Reservation};

/// What the agent tells the managers about the machine, but for what its administrator configured. Other nodes send their containers'
/// traffic to `data_address`.
#[must_use]
pub fn describe(data_address: Option<Ipv4Addr>) -> NodeDescription {
    NodeDescription {
        hostname: hostname(),
        platform: Platform { os: std::env::consts::OS.to_owned(), arch: std::env::consts::ARCH.to_owned() },
        capacity: Reservation { nano_cpus: cpus() * 1_000_000_000, memory: memory() },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_address,
        generic: GenericPools::new(),
    }
}

/// The host name.
#[must_use]
pub fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".to_owned())
}

/// Names this boot: another one after each start of the machine.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn cpus() -> u64 {
    std::thread::available_parallelism().map_or(1, |cpus| u64::try_from(cpus.get()).unwrap_or(1))
}

/// Bytes of memory; zero when the kernel does not say.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_name_processors_and_memory() {
        let machine = describe(None);
        assert!(!machine.hostname.is_empty() && machine.capacity.nano_cpus > 0 && machine.capacity.memory > 0);
        assert_eq!(machine.platform.os, "linux");
        assert!(!boot_id().is_empty());
    }
}
