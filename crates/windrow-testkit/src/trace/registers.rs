//! The number, the arguments and the result of a system call, by architecture.

#[cfg(target_arch = "x86_64")]
mod machine {
    use nix::{errno::Errno, libc::user_regs_struct, sys::ptrace, unistd::Pid};

    pub(in crate::trace) const CAN_REPLACE: bool = true;

    pub(super) fn call(registers: &user_regs_struct) -> (u64, [u64; 6]) {
        let arguments =
            [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
        (registers.orig_rax, arguments)
    }

    /// Makes the kernel do nothing at all instead of the call that begins.
    pub(in crate::trace) fn skip(task: Pid) -> nix::Result<()> {
        let mut registers = ptrace::getregs(task)?;
        registers.orig_rax = u64::MAX;
        ptrace::setregs(task, registers)
    }

    /// Sets the result of the call that ends.
    pub(in crate::trace) fn fail(task: Pid, error: Errno) -> nix::Result<()> {
        let mut registers = ptrace::getregs(task)?;
        registers.rax = i64::from(-(error as i32)).cast_unsigned();
        ptrace::setregs(task, registers)
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use nix::{errno::Errno, libc::user_regs_struct, sys::ptrace, unistd::Pid};

    /// The number of a call can only be replaced through a register set that `nix` does not know.
    pub(in crate::trace) const CAN_REPLACE: bool = false;

    pub(super) fn call(registers: &user_regs_struct) -> (u64, [u64; 6]) {
        let mut arguments = [0; 6];
        arguments.copy_from_slice(&registers.regs[..6]);
        (registers.regs[8], arguments)
    }

    pub(in crate::trace) fn skip(_: Pid) -> nix::Result<()> {
        Err(Errno::ENOSYS)
    }

    pub(in crate::trace) fn fail(_: Pid, _: Errno) -> nix::Result<()> {
        Err(Errno::ENOSYS)
    }
}

use nix::{sys::ptrace, unistd::Pid};

pub(super) use machine::{CAN_REPLACE, fail, skip};

/// Reads the number and the arguments of the call that a stopped task begins.
pub(super) fn call(task: Pid) -> nix::Result<(u64, [u64; 6])> {
    ptrace::getregs(task).map(|registers| machine::call(&registers))
}
