//! Which system calls a traced program stops at: with a filter, the many that only look cost nothing.
//!
//! *Source*: seccomp(2), section "Filters"; Documentation/userspace-api/seccomp_filter.rst. The stop comes before the call is made,
//! and after it the end of the call can be waited for (Linux 4.8 and later).

use std::io;

use nix::libc::{self, c_long, sock_filter, sock_fprog};

/// Makes a filter that stops at these calls and lets all others be.
pub(super) fn stopping_at(numbers: &[c_long]) -> Vec<sock_filter> {
    const NUMBER_OF_CALL: u32 = 0;
    let code = |code: u32| u16::try_from(code).expect("a code of two bytes");
    let plain = |operation: u32, k: u32| sock_filter { code: code(operation), jt: 0, jf: 0, k };
    let mut filter = vec![plain(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER_OF_CALL)];
    for (position, number) in numbers.iter().enumerate() {
        // Over the rest of the list and the answer of those that are not in it.
        let over = u8::try_from(numbers.len() - position).expect("a list of fewer than 256 calls");
        let k = u32::try_from(*number).expect("the number of a call");
        filter.push(sock_filter { jt: over, ..plain(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k) });
    }
    filter.push(plain(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    filter.push(plain(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_TRACE));
    filter
}

/// Puts a filter on the calling process and everything it will start.
#[expect(unsafe_code, reason = "no safe wrapper takes a filter between fork and exec")]
pub(super) fn install(filter: &[sock_filter]) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: both calls take plain numbers and a pointer to a program that outlives them and is only read.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}
