//! The command line, as a value.

use std::path::PathBuf;

use chunk_store::RootHash;
use clap::{Args, Parser, Subcommand};

use crate::journal::LogFormat;

const CONFIG_HELP: &str = r#"A login answer, or how to log in:
{"login": {"urls": ["http://10.0.0.1:10800"], "device": "pc1", "key_file": "/etc/corral.key"}}
https URLs want "ca_file" besides: the farm's root certificate, its ca.pem."#;

/// Streams a disk from whichever server can serve it.
#[derive(Parser)]
#[command(name = "corral-target", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the disk as NBD on a unix socket, to QEMU and tools.
    ///
    /// Example: corral-target serve --config login.json --unix /run/disk.sock
    Serve(Serve),
    /// Attach the disk as a device of the kernel's, and stay in the background.
    ///
    /// Example: corral-target attach --config login.json --device /dev/nbd0
    Attach(Attach),
    /// Take an attached device away.
    ///
    /// Example: corral-target detach --device /dev/nbd0
    Detach {
        /// The device.
        #[arg(long, value_name = "/dev/nbdN")]
        device: PathBuf,
    },
    /// Read a whole disk and compare it with its root; prints one line a pass.
    ///
    /// Example: corral-target verify --device /dev/nbd0 --root 5d3c… --passes 2
    Verify(Verify),
    /// Log in and print the answer, which holds a ticket: keep it to yourself.
    ///
    /// Example: corral-target login --config login.json
    Login {
        /// A file with a `login` block.
        #[arg(long)]
        config: PathBuf,
    },
    /// Print what a running client knows, as JSON.
    ///
    /// Example: corral-target status --control /run/disk.control
    Status {
        /// The control socket it was given.
        #[arg(long)]
        control: PathBuf,
        /// As Prometheus reads it: write it to a file that the machine's node exporter collects.
        #[arg(long)]
        prometheus: bool,
    },
}

#[derive(Args)]
pub(crate) struct Common {
    /// A login answer, or how to log in.
    #[arg(long, value_name = "FILE", long_help = CONFIG_HELP)]
    pub(crate) config: PathBuf,
    /// Answer `status` on this unix socket.
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Keep what the device writes, on this disk or file where the farm says so. Its length is the most it holds.
    #[arg(long, value_name = "PATH")]
    pub(crate) cache_disk: Option<PathBuf>,
    /// Keep what the device writes, in so much memory at the most. With --cache-disk alone: half of the machine's.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1 << 20..))]
    pub(crate) cache_memory: Option<u64>,
    /// How the log looks: for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Fail a read only after every reachable server has failed it for so long. 0: never.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(crate) error_patience: u64,
    /// Of a disk that can be written: fail what waits after its server has been away for so long. 0: never.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) outage_limit: u64,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The socket to make; only its owner may connect.
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: PathBuf,
}

#[derive(Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The device.
    #[arg(long, value_name = "/dev/nbdN")]
    pub(crate) device: PathBuf,
    /// The device's block size. Partition tables and file systems made for 512 cannot be read with 4096.
    #[arg(long, value_name = "BYTES", default_value_t = 512, value_parser = parse_block_size)]
    pub(crate) block_size: u32,
    /// Take over a device whose keeper died: give it a new socket. The kernel repeats what was unanswered.
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Stay in the foreground, and log to standard error.
    #[arg(long)]
    pub(crate) foreground: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) subject: VerifySubject,
    /// The root that the disk should have. Without it, the root found is printed.
    #[arg(long, value_name = "HEX")]
    pub(crate) root: Option<RootHash>,
    /// Stop after so many passes.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    pub(crate) passes: Option<u64>,
    /// Stop at the end of the first pass after this time. Without this and --passes, never.
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u64>,
    /// Bytes of one read; a multiple of 4096.
    #[arg(long, value_name = "BYTES", default_value_t = 256 * 1024)]
    pub(crate) read_size: usize,
    /// Read no more than so many bytes a second. Without it, as fast as they come.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct VerifySubject {
    /// A block device or file.
    #[arg(long, value_name = "PATH")]
    pub(crate) device: Option<PathBuf>,
    /// A unix socket where NBD is served.
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,
}

fn parse_block_size(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(size @ (512 | 1024 | 2048 | 4096)) => Ok(size),
        _ => Err("give 512, 1024, 2048 or 4096"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn verify_wants_exactly_one_subject() {
        assert!(Cli::try_parse_from(["corral-target", "verify"]).is_err());
        assert!(
            Cli::try_parse_from(["corral-target", "verify", "--device", "a", "--unix", "b"])
                .is_err()
        );
        assert!(
            Cli::try_parse_from(["corral-target", "verify", "--device", "a", "--passes", "1"])
                .is_ok()
        );
    }
}
