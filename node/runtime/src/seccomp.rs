//! The system-call filter of a container: Docker's default profile, compiled to BPF without a C library.
//!
//! `profile` is the tables. This module picks the rules for a capability set, compiles them, and writes them as the OCI section that other
//! runtimes read (for benchmarks and comparison). Loading the filter is the launcher's last step before the program.

mod profile;

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, sock_filter,
};
use serde_json::{Value, json};

use crate::spec::SpecError;
use crate::spec::capabilities::Capabilities;
use profile::{ALWAYS, ALWAYS_HERE, ALWAYS_NEW, CONDITIONAL, Call, Test, WITH_CAPABILITY};

/// The calls that are allowed whatever their arguments, for a capability set.
fn plain_calls(capabilities: &Capabilities) -> impl Iterator<Item = &'static Call> {
    let with = WITH_CAPABILITY.iter().filter(|(name, _)| capabilities.contains(name)).flat_map(|(_, calls)| calls.iter());
    ALWAYS.iter().chain(ALWAYS_HERE).chain(ALWAYS_NEW).chain(with)
}

/// Compiles the filter for a capability set.
///
/// # Errors
/// The architecture has no filter, or a rule cannot be expressed: nothing may run then.
pub(crate) fn program(capabilities: &Capabilities) -> Result<BpfProgram, SpecError> {
    let failed = |error: &dyn std::fmt::Display| SpecError(format!("cannot make the system-call filter: {error}"));
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| failed(&error))?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for ((_, number), tests) in CONDITIONAL {
        let compiled: Result<Vec<SeccompRule>, seccompiler::BackendError> = tests.iter().map(rule).collect();
        rules.insert(*number, compiled.map_err(|error| failed(&error))?);
    }
    // A call that is allowed as it is needs no conditions, also where the table has some.
    rules.extend(plain_calls(capabilities).map(|(_, number)| (*number, Vec::new())));
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).map_err(|error| failed(&error))?;
    let main: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| failed(&error))?;
    Ok(if capabilities.contains("SYS_ADMIN") { main } else { without_clone3(main) })
}

fn rule(test: &Test) -> Result<SeccompRule, seccompiler::BackendError> {
    let (operator, value) = match *test {
        Test::Equal(value) => (SeccompCmpOp::Eq, value),
        Test::Below(value) => (SeccompCmpOp::Lt, value),
        Test::Above(value) => (SeccompCmpOp::Gt, value),
        Test::Without(mask) => (SeccompCmpOp::MaskedEq(u64::from(mask)), 0),
    };
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, u64::from(value))?])
}

/// Puts "clone3 answers ENOSYS" in front: a library that hears EPERM gives up, one that hears ENOSYS uses `clone`.
fn without_clone3(main: BpfProgram) -> BpfProgram {
    let enosys = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    // libc's numbers are u32, an instruction's code is u16; all of them are below 256.
    let code = |parts: u32| u16::try_from(parts).unwrap_or_default();
    let number = u32::try_from(libc::SYS_clone3).unwrap_or_default();
    let mut program = vec![
        sock_filter { code: code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), jt: 0, jf: 0, k: 0 },
        sock_filter { code: code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), jt: 0, jf: 1, k: number },
        sock_filter { code: code(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: enosys },
    ];
    program.extend(main);
    program
}

/// The same rules as the `linux.seccomp` section of an OCI spec.
pub(crate) fn oci_section(capabilities: &Capabilities) -> Value {
    let bare = |name: &str| name.trim_start_matches("SYS_").to_owned();
    let plain: Vec<String> = plain_calls(capabilities).map(|(name, _)| bare(name)).collect();
    let mut rules = vec![json!({ "names": plain, "action": "SCMP_ACT_ALLOW" })];
    for ((name, _), tests) in CONDITIONAL {
        if plain.contains(&bare(name)) {
            continue;
        }
        for test in *tests {
            let argument = match *test {
                Test::Equal(value) => json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" }),
                Test::Below(value) => json!({ "index": 0, "value": value, "op": "SCMP_CMP_LT" }),
                Test::Above(value) => json!({ "index": 0, "value": value, "op": "SCMP_CMP_GT" }),
                Test::Without(mask) => json!({ "index": 0, "value": mask, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" }),
            };
            rules.push(json!({ "names": [bare(name)], "action": "SCMP_ACT_ALLOW", "args": [argument] }));
        }
    }
    if !capabilities.contains("SYS_ADMIN") {
        rules.push(json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }));
    }
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": libc::EPERM, "architectures": [architecture()], "syscalls": rules })
}

/// The OCI name of the architecture that this was built for.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "SCMP_ARCH_AARCH64" } else { "SCMP_ARCH_X86_64" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_open_their_calls_only() {
        let has = |capabilities: &Capabilities, name: &str| plain_calls(capabilities).any(|(known, _)| *known == name);
        let (none, admin) = (Capabilities::new(), Capabilities::from(["SYS_ADMIN"]));
        assert!(!has(&none, "SYS_mount") && has(&admin, "SYS_mount"));
        assert!(!has(&none, "SYS_bpf") && !has(&none, "SYS_unshare") && !has(&none, "SYS_keyctl") && has(&none, "SYS_read"));
        assert!(!has(&admin, "SYS_reboot"));
    }

    #[test]
    fn every_capability_in_the_table_exists_and_programs_fit() {
        let mut all = Capabilities::new();
        for (name, _) in WITH_CAPABILITY {
            all.extend(crate::spec::capabilities::ALL.into_iter().filter(|known| known == name));
        }
        assert_eq!(all.len(), WITH_CAPABILITY.len());
        for set in [Capabilities::new(), all] {
            assert!(program(&set).unwrap().len() < 4096);
        }
    }
}
