//! The default seccomp profile (`RuntimeDefault`): what ordinary programs need is allowed, the rest gets EPERM.

#![allow(unsafe_code, reason = "prctl and seccomp have no safe wrapper for a program")]

mod calls;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::io;

/// A program for the kernel.
pub(crate) type Program = BpfProgram;

/// Flags of clone(2) that make namespaces.
const NAMESPACES: u64 = 0x7e02_0000;

/// personality(2): ordinary, 32-bit uname, no address randomisation, both, and asking.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The programs to load, in this order, for a process that keeps `capabilities`.
pub(crate) fn default_profile(capabilities: &[String]) -> io::Result<Vec<Program>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let has = |name: &str| capabilities.iter().any(|have| have == name);
    let compile = |rules, otherwise, action| -> io::Result<Program> {
        let filter = SeccompFilter::new(rules, otherwise, action, arch).map_err(io::Error::other)?;
        filter.try_into().map_err(io::Error::other)
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls::always().map(|call| (call, Vec::new())).collect();
    for (capability, names) in calls::BY_CAPABILITY {
        if has(capability) {
            rules.extend(names.iter().map(|call| (*call, Vec::new())));
        }
    }
    let known = PERSONALITIES.iter().map(|value| rule(SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value));
    rules.insert(libc::SYS_personality, known.collect::<io::Result<_>>()?);
    let mut programs = Vec::new();
    if !has("SYS_ADMIN") {
        // Its flags are in memory, where a filter cannot look: «not there» makes libraries fall back to clone.
        let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        programs.push(compile(clone3, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?);
        let no_namespaces = rule(SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(NAMESPACES), 0)?;
        rules.insert(libc::SYS_clone, vec![no_namespaces]);
    }
    programs.push(compile(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)?);
    Ok(programs)
}

/// Compares the first argument.
fn rule(length: SeccompCmpArgLen, operator: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    let condition = SeccompCondition::new(0, length, operator, value).map_err(io::Error::other)?;
    SeccompRule::new(vec![condition]).map_err(io::Error::other)
}

/// Loads a program into this thread. Unlike the crate's own function it leaves `no_new_privs` alone, so it needs
/// CAP_SYS_ADMIN or that flag.
pub(crate) fn load(program: &Program) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    // SAFETY: seccompiler's instructions have the kernel's layout (both are repr(C) of struct sock_filter); the kernel
    // copies them before the call returns.
    let result = unsafe {
        let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &program as *const libc::sock_fprog)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn fits_into_the_kernel() {
        for capabilities in [vec![], vec!["SYS_ADMIN".to_owned()]] {
            let programs = default_profile(&capabilities).unwrap();
            assert!(programs.iter().all(|program| program.len() < 4096));
            assert_eq!(programs.len(), if capabilities.is_empty() { 2 } else { 1 });
        }
    }

    #[test]
    fn more_capabilities_allow_more() {
        let size = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            default_profile(&names).unwrap().last().unwrap().len()
        };
        assert!(size(&["SYS_TIME"]) > size(&[]));
    }
}
