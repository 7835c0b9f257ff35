//! Who the program is and what it may do, taken out of the spec and applied by ourselves as the last steps before the program.
//!
//! libcontainer would drop privileges before it calls our executor, and a filter without `no_new_privs` can only be loaded with
//! privileges. So it is told nothing of users and capabilities, and the order here is: bounding set, groups, filter (or at the very end
//! with `no_new_privs`), user, capabilities.

use std::io;

use cluster_types::ContainerSpec;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use oci_spec::runtime::{Process, Spec};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::BpfProgram;

use crate::cgroup::Layout;
use crate::seccomp;
use crate::spec::{SpecError, capabilities};

/// Everything about the program that libcontainer does not get to see.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<String>,
    /// Working directory, an absolute path in the container.
    pub(super) dir: String,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    bounding: u64,
    /// Effective and permitted; nothing is ever inheritable or ambient (CVE-2022-24769).
    held: u64,
    no_new_privileges: bool,
    filter: BpfProgram,
}

impl Credentials {
    /// Moves them out of a spec, whose process is root with every capability afterwards.
    pub(super) fn take_from(spec: &mut Spec, container: &ContainerSpec, layout: &Layout) -> Result<Self, SpecError> {
        if let Some(linux) = spec.linux_mut() {
            linux.set_seccomp(None);
        }
        let process = spec.process_mut().as_mut().ok_or_else(|| SpecError("the spec has no process".to_owned()))?;
        let taken = Self::of(process, container, layout)?;
        process.set_user(oci_spec::runtime::User::default());
        process.set_capabilities(None);
        process.set_no_new_privileges(None);
        Ok(taken)
    }

    /// Those of a process.
    pub(super) fn of(process: &Process, container: &ContainerSpec, layout: &Layout) -> Result<Self, SpecError> {
        let set = capabilities::of(container, layout)?;
        let filter = seccomp::program(&set)?;
        let user = process.user();
        let bounding = capabilities::bits(&set);
        Ok(Self {
            args: process.args().clone().unwrap_or_default(),
            env: process.env().clone().unwrap_or_default(),
            dir: process.cwd().to_string_lossy().into_owned(),
            uid: user.uid(),
            gid: user.gid(),
            groups: user.additional_gids().clone().unwrap_or_default(),
            bounding,
            held: if user.uid() == 0 { bounding } else { 0 },
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            filter,
        })
    }

    /// Makes the calling process what it is to be. There is no way back.
    pub(super) fn apply(&self) -> io::Result<()> {
        for number in 0..u32::try_from(capabilities::ALL.len()).unwrap_or(0) {
            let one = CapabilitySet::from_bits_retain(1 << number);
            if self.bounding & one.bits() == 0 && rustix::thread::capability_is_in_bounding_set(one).unwrap_or(false) {
                rustix::thread::remove_capability_from_bounding_set(one)?;
            }
        }
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups)?;
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        setresgid(gid, gid, gid)?;
        if !self.no_new_privileges {
            self.load_filter()?;
        }
        setresuid(uid, uid, uid)?;
        let held = CapabilitySet::from_bits_retain(self.held);
        rustix::thread::clear_ambient_capability_set()?;
        rustix::thread::set_capabilities(None, CapabilitySets { effective: held, permitted: held, inheritable: CapabilitySet::empty() })?;
        // The user may not be allowed where root was; and the directory must not be one outside the root (CVE-2024-21626).
        nix::unistd::chdir(self.dir.as_str())?;
        if !nix::unistd::getcwd()?.is_absolute() {
            return Err(io::Error::other("the working directory is outside of the container"));
        }
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true)?;
            self.load_filter()?;
        }
        Ok(())
    }

    fn load_filter(&self) -> io::Result<()> {
        let length = u16::try_from(self.filter.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: self.filter.as_ptr().cast::<libc::sock_filter>().cast_mut() };
        // SAFETY: seccompiler's and libc's `sock_filter` are both the kernel's `struct sock_filter`; the kernel copies the program, and
        // both it and its instructions outlive the call.
        #[expect(unsafe_code, reason = "seccompiler's own way to load a filter also sets no_new_privs, which docker does not")]
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
