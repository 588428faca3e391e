//! What a process must do to itself before it may carry a root disk, and how it makes another of its kind.
//!
//! The only unsafe code of the crate: two system calls that no safe wrapper offers.
#![allow(
    unsafe_code,
    reason = "fork and PR_SET_IO_FLUSHER have no safe wrapper"
)]

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::Pid;

use crate::journal::note;

/// `linux/prctl.h`
const PR_SET_IO_FLUSHER: libc::c_int = 57;

/// Restarts the program under a name that begins with `@`: systemd spares such processes when it ends all others.
/// Comes back only if that is done already or cannot be done.
pub(crate) fn take_spared_name() {
    let mut arguments = std::env::args_os();
    let Some(name) = arguments.next() else { return };
    if name.as_encoded_bytes().starts_with(b"@") {
        return;
    }
    let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let error = Command::new(program)
        .arg0("@corral-target")
        .args(arguments)
        .exec();
    note!("cannot take the name @corral-target, systemd may end this process at shutdown: {error}");
}

/// The memory killer takes everybody else first, and reclaiming memory never waits for this process's own disk.
pub(crate) fn become_indispensable() {
    if let Err(error) = fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/oom_score_adj")
        .and_then(|mut file| io::Write::write_all(&mut file, b"-1000"))
    {
        note!("cannot set oom_score_adj to -1000: {error}");
    }
    // SAFETY: takes integers only and touches no memory of ours.
    let result = unsafe { libc::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) };
    if result != 0 {
        note!(
            "cannot become an I/O flusher: {}",
            io::Error::last_os_error()
        );
    }
}

/// Keeps every page in memory, also those to come: the disk they would be read back from may be ours. Not inherited by
/// a fork.
pub(crate) fn stay_in_memory() {
    if let Err(error) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        note!("cannot lock memory: {error}");
    }
}

/// Which of the two processes this is.
pub(crate) enum Forked {
    Parent {
        child: Pid,
    },
    /// Must end with `exit`, and never return into what the parent was doing.
    Child,
}

/// Makes a copy of this process.
///
/// Without an `exec`, because the file system that the program came from may be gone (`switch_root`) or be the disk
/// itself.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: this program is single-threaded whenever it forks (the keeper starts no thread and no runtime), so the
    // copy holds no lock that another thread took.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        pid if pid > 0 => Pid::from_raw(pid)
            .map(|child| Forked::Parent { child })
            .ok_or_else(io::Error::last_os_error),
        _ => Err(io::Error::last_os_error()),
    }
}
