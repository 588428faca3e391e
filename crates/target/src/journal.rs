//! Lines for people: to the kernel's log or to standard error, over a descriptor that was open from the start.
//!
//! The process may carry the disk that log files are on, so it must never open one.

use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;

static KERNEL_LOG: OnceLock<File> = OnceLock::new();

/// From now on write to the kernel's log. Without one, standard error stays in use.
pub(crate) fn use_kernel_log() {
    if let Ok(file) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = KERNEL_LOG.set(file);
    }
}

/// Writes one line. A log that cannot be written is no reason to stop a disk.
pub(crate) fn write(line: Arguments<'_>) {
    // One call, one line: the kernel's log takes each write as a message of its own.
    match KERNEL_LOG.get() {
        Some(mut file) => {
            let _ = file.write_all(format!("<6>corral-target: {line}\n").as_bytes());
        }
        None => {
            let _ = std::io::stderr().write_all(format!("corral-target: {line}\n").as_bytes());
        }
    }
}

/// Writes one line to the journal, formatted like `println!`.
macro_rules! note {
    ($($arg:tt)*) => {{
        $crate::journal::write(format_args!($($arg)*));
    }};
}
pub(crate) use note;
