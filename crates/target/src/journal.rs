//! Lines for people and for programs: to the kernel's log or to standard error, over a descriptor that was open from the start.
//!
//! The process may carry the disk that log files are on, so it must never open one. Programs get one JSON object a line, in the words of the
//! farm's other processes; each names the device, and the login that what happens goes back to.

use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::clock;

static KERNEL_LOG: OnceLock<File> = OnceLock::new();
static FORMAT: OnceLock<LogFormat> = OnceLock::new();
static LOGIN: Mutex<Option<Login>> = Mutex::new(None);

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What a line goes back to.
#[derive(Clone)]
struct Login {
    device: String,
    request: String,
}

/// From now on lines look so.
pub(crate) fn use_format(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// From now on write to the kernel's log. Without one, standard error stays in use.
pub(crate) fn use_kernel_log() {
    if let Ok(file) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = KERNEL_LOG.set(file);
    }
}

/// From now on what happens goes back to this login.
pub(crate) fn note_login(device: &str, request: &str) {
    *LOGIN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Login {
        device: device.to_owned(),
        request: request.to_owned(),
    });
}

/// Writes one line. A log that cannot be written is no reason to stop a disk.
pub(crate) fn write(event: Arguments<'_>) {
    say(&event.to_string(), &[]);
}

/// Writes one line of an event and what belongs to it.
pub(crate) fn say(event: &str, about: &[(&str, &str)]) {
    let line = match FORMAT.get().copied().unwrap_or_default() {
        LogFormat::Text => text(event, about),
        LogFormat::Json => {
            let login = LOGIN.lock().unwrap_or_else(PoisonError::into_inner).clone();
            json(event, about, login.as_ref(), &clock::utc())
        }
    };
    // One call, one line: the kernel's log takes each write as a message of its own.
    match KERNEL_LOG.get() {
        Some(mut file) => {
            let _ = file.write_all(format!("<6>{line}\n").as_bytes());
        }
        // A test that passes says nothing.
        None if cfg!(test) => eprintln!("{line}"),
        None => {
            let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
        }
    }
}

fn text(event: &str, about: &[(&str, &str)]) -> String {
    let mut line = format!("corral-target: {event}");
    for (name, value) in about {
        let is_plain = !value.is_empty() && !value.contains([' ', '"', '=', '\n']);
        line.extend([" ", name, "="]);
        if is_plain {
            line += value;
        } else {
            line += &Value::from(*value).to_string();
        }
    }
    line
}

fn json(event: &str, about: &[(&str, &str)], login: Option<&Login>, timestamp: &str) -> String {
    let mut object = Map::new();
    let mut put = |name: &str, value: &str| {
        object.insert(name.to_owned(), Value::from(value));
    };
    put("timestamp", timestamp);
    put("level", "info");
    put("program", "corral-target");
    put("event", event);
    if let Some(login) = login {
        put("device", &login.device);
        put("request", &login.request);
    }
    for (name, value) in about {
        put(name, value);
    }
    Value::from(object).to_string()
}

/// Writes one line to the journal, formatted like `println!`.
macro_rules! note {
    ($($arg:tt)*) => {{
        $crate::journal::write(format_args!($($arg)*));
    }};
}
pub(crate) use note;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_people_quotes_what_would_be_taken_for_more_words() {
        let about = [
            ("version", "debian/3"),
            ("reason", "no answer"),
            ("url", ""),
        ];
        assert_eq!(
            text("login failed", &about),
            r#"corral-target: login failed version=debian/3 reason="no answer" url="""#
        );
    }

    #[test]
    fn a_line_for_programs_names_the_device_and_the_login_unless_it_has_its_own() {
        let login = Login {
            device: "pc1".to_owned(),
            request: "8f21".to_owned(),
        };
        let line = json(
            "server a is ready",
            &[],
            Some(&login),
            "2026-11-21T10:00:00Z",
        );
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["event"], "server a is ready");
        assert_eq!(
            (&line["device"], &line["request"]),
            (&"pc1".into(), &"8f21".into())
        );
        assert_eq!(line["timestamp"], "2026-11-21T10:00:00Z");
        let newer = json("logged in", &[("request", "77aa")], Some(&login), "");
        assert!(newer.contains("77aa") && !newer.contains("8f21"));
    }
}
