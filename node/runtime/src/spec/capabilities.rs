//! Capability sets: Docker's default, what a spec adds and takes away.

use std::collections::BTreeSet;

use cluster_types::ContainerSpec;
pub use cluster_types::linux::CAPABILITIES as ALL;

use super::SpecError;
use crate::cgroup::Layout;

/// What Docker leaves a container by default.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// Capabilities by their names in [`ALL`].
pub type Capabilities = BTreeSet<&'static str>;

/// Makes device nodes. Harmless only where the devices controller says which ones may be used; the unified layout has none (it would take
/// a BPF program), so nobody gets it there.
const MKNOD: &str = "MKNOD";

/// The capabilities of a container: `cap_drop: ALL` leaves only what is added, `cap_add: ALL` gives all but what is dropped by name.
///
/// # Errors
/// A name that is no capability, or one that this host cannot give safely.
pub fn of(spec: &ContainerSpec, layout: &Layout) -> Result<Capabilities, SpecError> {
    let mut set = asked(spec)?;
    if *layout == Layout::Unified && set.remove(MKNOD) && named(&spec.cap_add)?.1.contains(MKNOD) {
        return Err(SpecError(
            "the capability MKNOD is not given on a host with unified control groups: it would open every device".to_owned(),
        ));
    }
    Ok(set)
}

fn asked(spec: &ContainerSpec) -> Result<Capabilities, SpecError> {
    let (add_all, added) = named(&spec.cap_add)?;
    let (drop_all, dropped) = named(&spec.cap_drop)?;
    let base: Capabilities = match (add_all, drop_all) {
        (true, _) => ALL.into_iter().collect(),
        (false, true) => Capabilities::new(),
        (false, false) => DEFAULT.into_iter().collect(),
    };
    Ok(base.difference(&dropped).chain(&added).copied().collect())
}

/// The bits of a set, as the kernel counts them.
#[must_use]
pub fn bits(capabilities: &Capabilities) -> u64 {
    let numbers = ALL.iter().enumerate().filter(|(_, name)| capabilities.contains(*name));
    numbers.fold(0, |bits, (number, _)| bits | 1 << number)
}

fn named(names: &[String]) -> Result<(bool, Capabilities), SpecError> {
    let mut all = false;
    let mut found = Capabilities::new();
    for name in names {
        let upper = name.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        match ALL.iter().find(|known| **known == plain) {
            Some(known) => {
                found.insert(known);
            }
            None if plain == "ALL" => all = true,
            None => return Err(SpecError(format!("there is no capability `{name}`"))),
        }
    }
    Ok((all, found))
}
