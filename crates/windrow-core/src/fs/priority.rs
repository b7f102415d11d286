//! Work in the background that gives way to everybody, but gets on.

/// A tenth of what an ordinary process gets. At 19 (a hundredth) and in the idle class of the disk nothing was deleted
/// while agents kept the machine busy: 120,000 files took minutes, and the disk fills meanwhile.
const NICENESS: i32 = 10;

/// Makes the calling thread and what it starts yield processor and disk to others; does nothing where it cannot.
///
/// *Source*: ioprio_set(2), nice(2), which on Linux speak of the thread.
#[cfg(target_os = "linux")]
pub fn give_way() {
    // Sooner done is all that a refusal would give.
    let _ = rustix::process::nice(NICENESS);
    linux::set_lowest_level();
}

/// Makes the process yield the processor; disk priority cannot be had here.
#[cfg(not(target_os = "linux"))]
pub fn give_way() {
    let _ = rustix::process::nice(NICENESS);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_long};

    const WHO_PROCESS: c_int = 1;
    const CALLING_THREAD: c_int = 0;
    /// Best effort, the last of its eight levels.
    const LOWEST_LEVEL: c_int = 2 << 13 | 7;

    #[cfg(target_arch = "x86_64")]
    const IOPRIO_SET: Option<c_long> = Some(251);
    #[cfg(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64"))]
    const IOPRIO_SET: Option<c_long> = Some(30);
    #[cfg(not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "loongarch64"
    )))]
    const IOPRIO_SET: Option<c_long> = None;

    #[expect(
        unsafe_code,
        reason = "no library offers ioprio_set; it takes three numbers and touches no memory"
    )]
    pub(super) fn set_lowest_level() {
        unsafe extern "C" {
            fn syscall(number: c_long, ...) -> c_long;
        }
        if let Some(number) = IOPRIO_SET {
            // SAFETY: ioprio_set reads its three integer arguments and nothing else.
            let _ = unsafe { syscall(number, WHO_PROCESS, CALLING_THREAD, LOWEST_LEVEL) };
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_thread_becomes_nice_and_others_do_not() {
        let nice_of = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse::<i32>().unwrap()
        };
        let before = nice_of();
        let inside = std::thread::spawn(move || {
            super::give_way();
            nice_of()
        });
        assert_eq!(inside.join().unwrap(), (before + 10).min(19));
        assert_eq!(nice_of(), before);
    }
}
