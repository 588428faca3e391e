//! Disks that a client changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::plain_disk::PlainDisk;
use stream_server::{Disk as _, DiskError, Zeroing};

#[test]
fn the_plain_disk_of_these_tests_keeps_to_the_promises_of_disks() {
    let disk = PlainDisk::new(1 << 20, 1);
    disk.write(5, b"corral", false).unwrap();
    disk.write_zeroes(7, 2, Zeroing::default()).unwrap();
    let mut place = [0; 8];
    disk.read(4, &mut place).unwrap();
    assert_eq!(&place, b"\0co\0\0al\0");
    disk.limit_bytes
        .store(4096, std::sync::atomic::Ordering::SeqCst);
    let full = disk.write(4090, &[1; 10], false);
    assert!(matches!(full, Err(DiskError::NoSpace(_))), "{full:?}");
}
