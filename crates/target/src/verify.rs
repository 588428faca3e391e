//! Reads a whole disk, again and again, and compares it with its root: the witness that a stream is what it should be.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chunk_store::{RootHash, RootHasher};

use crate::clock;
use crate::verify_socket::NbdDisk;

/// Direct I/O wants memory aligned to the device's block size; a page is enough for every device.
const ALIGNMENT: usize = 4096;
/// A read that took longer than the longest so far, and than this, is reported at once.
const WORTH_A_LINE: Duration = Duration::from_millis(100);

/// What to read.
pub(crate) enum Subject {
    Device(PathBuf),
    Socket(PathBuf),
}

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Passes(u64),
    Time(Duration),
    Forever,
}

/// Why verification could not even begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("a read size of {0} bytes cannot be used: give a multiple of 4096")]
    ReadSize(usize),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Sums up every pass.
#[derive(Default)]
pub(crate) struct Outcome {
    passes: u64,
    wrong: u64,
    errors: u64,
    longest: Duration,
}

impl Outcome {
    /// No error, and every pass had the right root.
    pub(crate) fn is_good(&self) -> bool {
        self.wrong == 0 && self.errors == 0
    }
}

enum Disk {
    Device { file: File, size_bytes: u64 },
    Socket(NbdDisk),
}

impl Disk {
    fn open(subject: &Subject) -> Result<Self, VerifyError> {
        let opened = match subject {
            Subject::Device(path) => open_device(path),
            Subject::Socket(path) => NbdDisk::connect(path).map(Self::Socket),
        };
        let (Subject::Device(path) | Subject::Socket(path)) = subject;
        opened.map_err(|source| VerifyError::Open {
            path: path.clone(),
            source,
        })
    }

    fn size_bytes(&self) -> u64 {
        match self {
            Self::Device { size_bytes, .. } => *size_bytes,
            Self::Socket(disk) => disk.size_bytes(),
        }
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Device { file, .. } => file.read_exact_at(buffer, offset),
            Self::Socket(disk) => disk.read(offset, buffer),
        }
    }
}

fn open_device(path: &Path) -> io::Result<Disk> {
    // Past the page cache, which would hide the stream.
    let direct = File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(path);
    let mut file = match direct {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => File::open(path)?,
        other => other?,
    };
    let size_bytes = file.seek(SeekFrom::End(0))?;
    Ok(Disk::Device { file, size_bytes })
}

/// Verifies, printing one line a pass and one for each new longest stall.
pub(crate) fn verify(
    subject: &Subject,
    root: Option<RootHash>,
    until: Until,
    read_bytes: usize,
    rate: Option<u64>,
) -> Result<Outcome, VerifyError> {
    if read_bytes == 0 || !read_bytes.is_multiple_of(ALIGNMENT) {
        return Err(VerifyError::ReadSize(read_bytes));
    }
    let mut disk = Disk::open(subject)?;
    let mut memory = vec![0; read_bytes + ALIGNMENT];
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    let buffer = memory
        .get_mut(start..start + read_bytes)
        .unwrap_or_default();
    let mut outcome = Outcome::default();
    let began_at = clock::now();
    loop {
        pass(&mut disk, root, &mut outcome, buffer, rate)?;
        let is_over = match until {
            Until::Passes(passes) => outcome.passes >= passes,
            Until::Time(time) => clock::now().saturating_duration_since(began_at) >= time,
            Until::Forever => false,
        };
        if is_over {
            return Ok(outcome);
        }
    }
}

fn pass(
    disk: &mut Disk,
    root: Option<RootHash>,
    outcome: &mut Outcome,
    buffer: &mut [u8],
    rate: Option<u64>,
) -> io::Result<()> {
    let size = disk.size_bytes();
    let mut hasher = RootHasher::new();
    let mut longest = Duration::ZERO;
    let mut errors = 0_u64;
    let began_at = clock::now();
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from(size - offset)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let part = buffer.get_mut(..length).unwrap_or_default();
        let asked_at = clock::now();
        let result = disk.read(offset, part);
        let took = clock::now().saturating_duration_since(asked_at);
        longest = longest.max(took);
        if took > outcome.longest {
            outcome.longest = took;
            if took >= WORTH_A_LINE {
                say(format_args!(
                    "verify stall_ms={} offset={offset}",
                    took.as_millis()
                ))?;
            }
        }
        if let Err(error) = result {
            errors += 1;
            say(format_args!(
                "verify error offset={offset} length={length} reason={error:?}"
            ))?;
            part.fill(0);
        }
        hasher.update(part);
        offset += length as u64;
        if let Some(rate) = rate {
            wait_until(began_at + due_after(offset, rate));
        }
    }
    let found = hasher.finish();
    let verdict = match root {
        _ if errors > 0 => "unreadable",
        Some(root) if root != found => "wrong",
        Some(_) => "ok",
        None => "unchecked",
    };
    outcome.passes += 1;
    outcome.errors += errors;
    outcome.wrong += u64::from(verdict == "wrong");
    let seconds = clock::now()
        .saturating_duration_since(began_at)
        .as_secs_f64();
    say(format_args!(
        "verify pass={} root={verdict} found={found} bytes={size} seconds={seconds:.3} errors={} stall_ms={} longest_stall_ms={}",
        outcome.passes,
        outcome.errors,
        longest.as_millis(),
        outcome.longest.as_millis(),
    ))
}

/// When so many bytes may have been read at a rate (bytes a second).
fn due_after(bytes: u64, rate: u64) -> Duration {
    let whole = Duration::from_secs(bytes / rate);
    let rest = u128::from(bytes % rate) * 1_000_000_000 / u128::from(rate);
    whole + Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
}

fn wait_until(due_at: Instant) {
    loop {
        let left = due_at.saturating_duration_since(clock::now());
        if left.is_zero() {
            return;
        }
        // May come back too early.
        std::thread::park_timeout(left);
    }
}

fn say(line: std::fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_due_at_their_rate() {
        assert_eq!(due_after(0, 1), Duration::ZERO);
        assert_eq!(due_after(1_500, 1_000), Duration::from_millis(1_500));
        assert_eq!(due_after(u64::MAX, 1), Duration::from_secs(u64::MAX));
    }
}
