//! Giving memory back to the system after work that needed much, in a process that lives on.

/// Returns to the system what the allocator has free; does nothing where the allocator cannot.
///
/// *Source*: malloc_trim(3), of the GNU C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_memory_back() {
    #[expect(unsafe_code, reason = "the function takes a number and is safe in any thread")]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// Does nothing: this allocator cannot be asked.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_memory_back() {}
