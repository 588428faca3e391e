//! A disk of the kernel's: `/dev/nbdN`, carried by two processes.
//!
//! The *keeper* holds the kernel's socket and does nothing but copy; the *worker*, its child, talks to the servers. A
//! worker may be killed or fail and is followed by another; the kernel notices a pause. `docs/adr/0011` says why.

mod keeper;
mod memory;
mod netlink;
mod process;
mod relay;

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::attach::keeper::Worker;
use crate::attach::memory::SharedMemory;
use crate::attach::netlink::{Driver, Geometry, NetlinkError};
use crate::attach::process::Forked;
use crate::attach::relay::Hello;
use crate::clock;
use crate::config::Source;
use crate::journal::{self, note};
use crate::own_cache::OwnCache;
use crate::session::Disk;
use crate::upstream::Settings;
use crate::worker;

pub(crate) use process::take_spared_name;

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttachError {
    #[error("{} is no nbd device: give /dev/nbdN", path.display())]
    NotNbd { path: PathBuf },
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    #[error("cannot set up the processes: {0}")]
    Process(#[from] io::Error),
    #[error(
        "a disk of {size_bytes} bytes is not a multiple of the block size {block_bytes}: give a smaller --block-size"
    )]
    Size { size_bytes: u64, block_bytes: u32 },
    #[error("{reason}")]
    Background { reason: String },
    #[error("the process in the background ended without a word; the kernel's log may tell why")]
    BackgroundEnded,
}

/// What the command line asks for.
pub(crate) struct Attachment {
    pub(crate) device: PathBuf,
    pub(crate) block_bytes: u32,
    pub(crate) takes_over: bool,
    pub(crate) stays_in_foreground: bool,
    pub(crate) settings: Settings,
    pub(crate) cache: Option<OwnCache>,
    pub(crate) control: Option<UnixListener>,
}

/// Attaches the device, and comes back when it serves (or, in the foreground, when it is detached).
pub(crate) fn attach(attachment: Attachment, source: &Source) -> Result<(), AttachError> {
    let index = index_of(&attachment.device)?;
    if attachment.stays_in_foreground {
        return carry(attachment, index, source, |size| {
            println!("attached /dev/nbd{index} size_bytes={size}");
        });
    }
    let (ours, theirs) = UnixStream::pair()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    if let Forked::Child = process::fork()? {
        drop(ours);
        std::process::exit(carry_in_background(
            attachment, index, source, theirs, &null,
        ));
    }
    drop(theirs);
    // A line and not the end of the stream: the worker holds a copy of the other end.
    let mut line = String::new();
    BufReader::new(ours).read_line(&mut line)?;
    match line.strip_prefix(FAILED) {
        Some(reason) => Err(AttachError::Background {
            reason: reason.trim_end().to_owned(),
        }),
        None if line.is_empty() => Err(AttachError::BackgroundEnded),
        None => {
            print!("{line}");
            Ok(())
        }
    }
}

/// What the process in the background begins its line with when there is no device.
const FAILED: &str = "error: ";

fn carry_in_background(
    attachment: Attachment,
    index: u32,
    source: &Source,
    mut caller: UnixStream,
    null: &File,
) -> i32 {
    journal::use_kernel_log();
    let _ = redirect_standard_streams(null);
    let result = detach_from_terminal()
        .map_err(AttachError::from)
        .and_then(|()| {
            carry(attachment, index, source, |size| {
                let _ = writeln!(caller, "attached /dev/nbd{index} size_bytes={size}");
            })
        });
    let Err(error) = result else { return 0 };
    note!("{error}");
    let _ = writeln!(caller, "{FAILED}{error}");
    1
}

/// Takes the device away from the kernel; its keeper then ends.
pub(crate) fn detach(device: &Path) -> Result<(), AttachError> {
    let index = index_of(device)?;
    Ok(Driver::open()?.disconnect(index)?)
}

fn carry(
    attachment: Attachment,
    index: u32,
    source: &Source,
    ready: impl FnOnce(u64),
) -> Result<(), AttachError> {
    let driver = Driver::open()?;
    process::become_indispensable();
    let memory = SharedMemory::new()?;
    let Attachment {
        block_bytes,
        takes_over,
        settings,
        control,
        cache,
        ..
    } = attachment;
    let start = |kernel: &mut Option<UnixStream>| {
        let control = control.as_ref();
        start_worker(kernel, source, &settings, &memory, control, cache.as_ref())
    };
    let mut first = start(&mut None)?;
    let hello = loop {
        match first.hello() {
            Ok(hello) => break hello,
            Err(error) => {
                note!("worker ended before it knew the disk: {error}");
                let dead = std::mem::replace(&mut first, start(&mut None)?);
                dead.bury();
            }
        }
    };
    let size_bytes = hello.size_bytes;
    if size_bytes % u64::from(block_bytes) != 0 {
        first.bury();
        return Err(AttachError::Size {
            size_bytes,
            block_bytes,
        });
    }
    let (ours, kernels) = UnixStream::pair()?;
    let given = if takes_over {
        driver.reconfigure(index, kernels.as_fd())
    } else {
        driver.connect(
            index,
            Geometry {
                size_bytes,
                block_bytes,
                is_writable: hello.is_writable,
            },
            kernels.as_fd(),
        )
    };
    if let Err(error) = given {
        first.bury();
        return Err(error.into());
    }
    drop((kernels, driver));
    ready(size_bytes);
    process::stay_in_memory();
    note!("carrying /dev/nbd{index}, {size_bytes} bytes");
    keeper::keep(ours, hello, first, start)?;
    note!("/dev/nbd{index} was detached");
    Ok(())
}

fn start_worker(
    kernel: &mut Option<UnixStream>,
    source: &Source,
    settings: &Settings,
    memory: &SharedMemory,
    control: Option<&UnixListener>,
    cache: Option<&OwnCache>,
) -> io::Result<Worker> {
    let (ours, theirs) = UnixStream::pair()?;
    let memory = memory.try_clone()?;
    let control = control.map(UnixListener::try_clone).transpose()?;
    match process::fork()? {
        Forked::Parent { child } => Ok(Worker {
            pid: child,
            socket: ours,
            started_at: clock::now(),
        }),
        Forked::Child => {
            // A copy of the kernel's socket would keep it alive after its keeper.
            kernel.take();
            drop(ours);
            let result = work(source, settings.clone(), memory, control, cache, theirs);
            if let Err(error) = &result {
                note!("worker failed: {error}");
            }
            std::process::exit(i32::from(result.is_err()));
        }
    }
}

/// A worker's life: ends when the keeper closes its socket.
fn work(
    source: &Source,
    settings: Settings,
    memory: SharedMemory,
    control: Option<UnixListener>,
    cache: Option<&OwnCache>,
    mut keeper: UnixStream,
) -> io::Result<()> {
    worker::run(async {
        let (upstream, answer) = worker::begin(source, settings, Rc::new(memory), cache).await?;
        worker::answer_status(control, &upstream)?;
        let size_bytes = upstream.size_bytes().await;
        let hello = Hello {
            size_bytes,
            is_writable: upstream.is_writable(),
        };
        keeper.write_all(&hello.to_bytes())?;
        process::stay_in_memory();
        keeper.set_nonblocking(true)?;
        let disk = Disk {
            upstream,
            export: answer.export.into(),
            size_bytes,
        };
        worker::transmit(tokio::net::UnixStream::from_std(keeper)?, &disk).await
    })?
}

fn detach_from_terminal() -> io::Result<()> {
    rustix::process::setsid()?;
    // Not to keep a file system busy.
    std::env::set_current_dir("/")
}

fn redirect_standard_streams(null: &File) -> io::Result<()> {
    rustix::stdio::dup2_stdin(null)?;
    rustix::stdio::dup2_stdout(null)?;
    rustix::stdio::dup2_stderr(null)?;
    Ok(())
}

fn index_of(device: &Path) -> Result<u32, AttachError> {
    let number = device
        .to_str()
        .and_then(|path| path.strip_prefix("/dev/nbd"));
    let number = number.and_then(|number| number.parse().ok());
    number.ok_or_else(|| AttachError::NotNbd {
        path: device.to_owned(),
    })
}

/// Listens where `status` asks. Opened before anything else, for it is the last file that is.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    if path.exists() && UnixStream::connect(path).is_ok() {
        return Err(ErrorKind::AddrInUse.into());
    }
    let _ = std::fs::remove_file(path);
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(old);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
