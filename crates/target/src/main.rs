//! The failover client: carries a device's disk from whichever server can serve it.
//!
//! `failover` decides; this program has the sockets, the timers and the kernel. It runs in an initramfs beside a
//! shell and nothing else: static, no name service, no file opened once the disk is up.

mod attach;
mod cache;
mod cached_disk;
mod cli;
mod client;
mod clock;
mod config;
mod connection;
mod journal;
mod login;
mod own_cache;
mod pacing;
mod ranges;
mod renewal;
mod session;
mod status;
mod upstream;
mod verify;
mod verify_socket;
mod wire;
mod worker;
mod writer;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;

use crate::attach::Attachment;
use crate::cli::{Cli, Command, Common};
use crate::config::Source;
use crate::login::Asking;
use crate::own_cache::OwnCache;
use crate::upstream::Settings;
use crate::verify::{Subject, Until};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Serve(serve) => {
            journal::use_format(serve.common.log_format);
            let source = config::load(&serve.common.config)?;
            let control = serve.common.control.as_deref().map(listen).transpose()?;
            let socket = listen(&serve.unix)?;
            let settings = settings(&serve.common);
            let cache = own_cache(&serve.common, &source)?;
            worker::run(async {
                let memory = Rc::new(worker::NoMemory);
                let (upstream, answer) =
                    worker::begin(&source, settings, memory, cache.as_ref()).await?;
                worker::answer_status(control, &upstream)?;
                worker::serve(socket, upstream, &answer.export).await
            })??;
        }
        Command::Attach(attach) => {
            attach::take_spared_name();
            journal::use_format(attach.common.log_format);
            let source = config::load(&attach.common.config)?;
            let attachment = Attachment {
                control: attach.common.control.as_deref().map(listen).transpose()?,
                settings: settings(&attach.common),
                cache: own_cache(&attach.common, &source)?,
                device: attach.device,
                block_bytes: attach.block_size,
                takes_over: attach.take_over,
                stays_in_foreground: attach.foreground,
            };
            attach::attach(attachment, &source)?;
        }
        Command::Detach { device } => attach::detach(&device)?,
        Command::Verify(verify) => {
            let subject = match (verify.subject.device, verify.subject.unix) {
                (Some(device), _) => Subject::Device(device),
                (None, socket) => Subject::Socket(socket.unwrap_or_default()),
            };
            let until = match (verify.passes, verify.seconds) {
                (Some(passes), _) => Until::Passes(passes),
                (None, Some(seconds)) => Until::Time(Duration::from_secs(seconds)),
                (None, None) => Until::Forever,
            };
            let outcome =
                verify::verify(&subject, verify.root, until, verify.read_size, verify.rate)?;
            return Ok(if outcome.is_good() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Login { config } => {
            let Source::Login(login) = config::load(&config)? else {
                return Err(format!("{} holds no `login` block", config.display()).into());
            };
            let answer = worker::run(async { login::log_in(&login, Asking::default()).await })??;
            println!("{}", serde_json::to_string(&answer)?);
        }
        Command::Status {
            control,
            prometheus,
        } => {
            let status = status::ask(&control).map_err(|error| cannot("ask", &control, &error))?;
            if prometheus {
                print!("{}", status::to_prometheus(&status)?);
            } else {
                print!("{status}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is for a write cache, if this program is to keep one.
fn own_cache(common: &Common, source: &Source) -> Result<Option<OwnCache>, Box<dyn Error>> {
    if common.cache_disk.is_none() && common.cache_memory.is_none() {
        return Ok(None);
    }
    let cache = OwnCache::open(common.cache_disk.as_deref(), common.cache_memory)?;
    if let Source::Given(answer) = source {
        // Nobody can be asked what is to be done instead.
        cache.set_up(answer)?;
    }
    Ok(Some(cache))
}

fn settings(common: &Common) -> Settings {
    let limit = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
    let mut reading = failover::Settings::default();
    reading.error_patience = limit(common.error_patience);
    let mut writing = failover::writable::Settings::default();
    writing.error_patience = limit(common.error_patience);
    writing.outage_limit = limit(common.outage_limit);
    Settings { reading, writing }
}

fn listen(path: impl Into<PathBuf>) -> Result<std::os::unix::net::UnixListener, String> {
    let path = path.into();
    attach::listen(&path).map_err(|error| cannot("listen on", &path, &error))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {verb} {}: {error}", path.display())
}
