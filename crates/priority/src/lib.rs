//! Lets a thread give way to all others of the process.
//!
//! A lower priority (`nice`) alone does not do it on Linux 6.6 and later: a thread that has a core keeps it until its slice is
//! over, whoever wakes up meanwhile. With a tick of 4 ms that is 4 ms. Since Linux 6.12 a thread whose slice is shorter takes
//! the core at once. So [`give_way`] also asks for a slice that is longer than that of all others. `rustix` and `libc` have no safe function for it
//! (docs/decisions/0106).

#![cfg(target_os = "linux")]

use std::io;

/// `struct sched_attr` of sched_setattr(2), as in its first version.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// For `SCHED_OTHER`: the slice, in nanoseconds, from 100 µs to 100 ms. Ignored before Linux 6.12.
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// In nanoseconds. Linux gives 2.8 ms at most by itself. Not much more: a thread that has just used more than its share takes the core from nobody, and
/// waits for the end of the slice.
const SLICE: u64 = 4_000_000;
/// `SCHED_ATTR_SIZE_VER0`: the size of [`Attributes`].
const SIZE: u32 = 48;
const _: () = assert!(size_of::<Attributes>() == SIZE as usize);

/// Gives the calling thread this nice value, of 19 at most, and a longer slice than others have. Then it gives up its core once: what has
/// been said holds from the next slice on.
///
/// # Errors
///
/// Those of sched_setattr(2): `EPERM` for a nice value below that of the thread, or where a container forbids the call.
pub fn give_way(nice: i32) -> io::Result<()> {
    let attributes = Attributes {
        size: SIZE,
        policy: libc::SCHED_OTHER.unsigned_abs(),
        flags: 0,
        nice,
        priority: 0,
        runtime: SLICE,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the call reads `size` bytes from the address, and these are all of `attributes`. It writes only to `size`, if that
    // is wrong for the kernel, and nothing else is read from there again. Thread 0 is the calling one.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    std::thread::yield_now();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Attributes, SIZE, SLICE, give_way};

    /// Of the calling thread.
    fn attributes() -> Attributes {
        let mut found =
            Attributes { size: 0, policy: 0, flags: 0, nice: 0, priority: 0, runtime: 0, deadline: 0, period: 0 };
        // SAFETY: the call writes `SIZE` bytes at most to the address, and so many has `found`, whose fields may have any value.
        let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut found, SIZE, 0) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        found
    }

    #[test]
    fn only_the_calling_thread_gives_way() {
        let before = attributes();

        let given = std::thread::spawn(|| {
            give_way(19).expect("a thread may lower its priority");
            attributes()
        });

        let given = given.join().expect("no panic");
        assert_eq!(given.nice, 19);
        // Linux says the slice since 6.12, and has one for each thread since then.
        assert_eq!(given.runtime, if before.runtime == 0 { 0 } else { SLICE });
        let after = attributes();
        assert_eq!((after.nice, after.runtime), (before.nice, before.runtime));
    }
}
