//! Where the disk is to be had: a login answer from a file, or how to log in.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trust::{Trust, TrustError};

use crate::cache::CacheFolder;

const FORMAT: u32 = 1;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ConfigError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is neither a login answer nor a `login` block: {source}", path.display())]
    Malformed {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("{} is empty: write the device's key into it", path.display())]
    EmptyKey { path: PathBuf },
    #[error(
        "login URL {url} cannot be used: write https://ADDRESS:PORT with a numeric address, there is no DNS here"
    )]
    Url { url: String },
    #[error(
        "login URL {url} is https, and nothing says whom to believe: name the farm's root certificate, its ca.pem, as `ca_file`"
    )]
    NoRoot { url: String },
    #[error(
        "login URL {url} is plain http beside an https one, so that whoever blocks that one would be shown the device's key: make it https, or leave it out"
    )]
    Plain { url: String },
    #[error("{} cannot be used: {source}", path.display())]
    Root { path: PathBuf, source: TrustError },
    #[error("the `login` block names no url: give at least one of the farm's")]
    NoUrl,
}

/// Why a login answer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AnswerError {
    #[error(
        "login answer of format {found}, but this client reads format {FORMAT}: upgrade the client"
    )]
    Format { found: u32 },
    #[error("login answer names no server")]
    NoServer,
    #[error(
        "server address {address} cannot be used: it must be ADDRESS:PORT with a numeric address"
    )]
    Address { address: String },
    #[error("login answer wants TLS, and its root certificate cannot be used: {0}")]
    Trust(#[from] TrustError),
    #[error("root {root} cannot be used: it must be 64 hexadecimal digits")]
    Root { root: String },
}

/// The farm's answer to a login: what this device runs, and who serves it, best first.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct LoginAnswer {
    pub(crate) format: u32,
    #[serde(default)]
    pub(crate) device: String,
    pub(crate) export: String,
    /// Without one (servers that are not Corral's), servers are compared by size only.
    #[serde(default)]
    pub(crate) root: Option<String>,
    #[serde(default)]
    pub(crate) size_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) ticket: Option<String>,
    #[serde(default)]
    pub(crate) expires_at: Option<u64>,
    pub(crate) servers: Vec<ServerEntry>,
    /// The farm's root certificate in PEM, by which servers are believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_authority: Option<String>,
    /// Writes go to the server, which is the only one that has this disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) writable: bool,
    /// Where the device is to keep what it writes.
    #[serde(default = "in_memory")]
    pub(crate) write_cache: String,
    /// The most that it may keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_limit_bytes: Option<u64>,
    /// What the image says for a device whose cache disk is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_fallback: Option<String>,
    /// What only others read.
    #[serde(flatten)]
    pub(crate) rest: serde_json::Map<String, serde_json::Value>,
}

/// A server of the answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ServerEntry {
    pub(crate) name: String,
    pub(crate) addresses: Vec<String>,
    /// It is spoken to under TLS only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) tls: bool,
}

fn in_memory() -> String {
    "device-ram".to_owned()
}

impl LoginAnswer {
    /// Checks everything that the rest of the program relies on.
    pub(crate) fn checked(self) -> Result<Self, AnswerError> {
        if self.format != FORMAT {
            return Err(AnswerError::Format { found: self.format });
        }
        if let Some(root) = &self.root
            && (root.len() != 64
                || !root
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err(AnswerError::Root { root: root.clone() });
        }
        if self.servers.is_empty() {
            return Err(AnswerError::NoServer);
        }
        for server in &self.servers {
            server.parsed()?;
        }
        self.trust()?;
        Ok(self)
    }

    /// Whom servers are believed by, where they are to be spoken to under TLS.
    pub(crate) fn trust(&self) -> Result<Option<Trust>, TrustError> {
        let wants_tls = self.servers.iter().any(|server| server.tls);
        let root = self.certificate_authority.as_deref().unwrap_or_default();
        wants_tls.then(|| Trust::in_roots(root)).transpose()
    }

    /// What the servers know the disk by.
    pub(crate) fn export_name(&self) -> String {
        match &self.ticket {
            Some(ticket) => format!("{};{ticket}", self.export),
            None => self.export.clone(),
        }
    }
}

impl ServerEntry {
    pub(crate) fn parsed(&self) -> Result<Vec<SocketAddr>, AnswerError> {
        let parse = |address: &String| {
            address.parse().map_err(|_| AnswerError::Address {
                address: address.clone(),
            })
        };
        self.addresses.iter().map(parse).collect()
    }
}

/// How to ask the farm.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) urls: Vec<LoginUrl>,
    pub(crate) device: String,
    pub(crate) key: Secret,
    /// Where the device keeps what it writes, if it keeps it itself.
    pub(crate) write_cache: Option<CacheFolder>,
    /// Whom https URLs are believed by.
    pub(crate) trust: Option<Trust>,
}

/// `https://ADDRESS:PORT/PREFIX` in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginUrl {
    pub(crate) is_tls: bool,
    pub(crate) address: SocketAddr,
    pub(crate) prefix: String,
}

impl fmt::Display for LoginUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.address, self.prefix)
    }
}

/// Something that must not be printed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// Where the answer comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Given(Box<LoginAnswer>),
    Login(Login),
}

#[derive(Deserialize)]
struct LoginFile {
    login: LoginBlock,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginBlock {
    urls: Vec<String>,
    device: String,
    key_file: PathBuf,
    /// The mounted folder of the device's own write cache.
    #[serde(default)]
    write_cache: Option<PathBuf>,
    /// The farm's root certificate.
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// Reads the configuration, and the key it names.
pub(crate) fn load(path: &Path) -> Result<Source, ConfigError> {
    let text = read(path)?;
    let malformed = |source| ConfigError::Malformed {
        path: path.to_owned(),
        source,
    };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(malformed)?;
    if value.get("login").is_none() {
        let answer: LoginAnswer = serde_json::from_value(value).map_err(malformed)?;
        return Ok(Source::Given(Box::new(answer.checked()?)));
    }
    let LoginFile { login } = serde_json::from_value(value).map_err(malformed)?;
    let key = read(&login.key_file)?.trim().to_owned();
    if key.is_empty() {
        return Err(ConfigError::EmptyKey {
            path: login.key_file,
        });
    }
    let write_cache = login.write_cache.map(|path| {
        CacheFolder::open(&path).map_err(|source| ConfigError::Unreadable { path, source })
    });
    let write_cache = write_cache.transpose()?;
    let urls = login
        .urls
        .iter()
        .map(|url| parse_url(url))
        .collect::<Result<Vec<_>, _>>()?;
    if urls.is_empty() {
        return Err(ConfigError::NoUrl);
    }
    let trust = login.ca_file.map(|path| {
        Trust::in_roots(&read(&path)?).map_err(|source| ConfigError::Root { path, source })
    });
    let trust = trust.transpose()?;
    if let (None, Some(url)) = (&trust, urls.iter().find(|url| url.is_tls)) {
        return Err(ConfigError::NoRoot {
            url: url.to_string(),
        });
    }
    refuse_mixed(&urls)?;
    Ok(Source::Login(Login {
        urls,
        device: login.device,
        key: Secret(key),
        write_cache,
        trust,
    }))
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// An address that is tried in the clear when the encrypted ones do not answer would make those worth nothing. What does not
/// leave the machine may be plain.
fn refuse_mixed(urls: &[LoginUrl]) -> Result<(), ConfigError> {
    let is_open = |url: &&LoginUrl| !url.is_tls && !url.address.ip().is_loopback();
    match urls.iter().find(is_open) {
        Some(url) if urls.iter().any(|url| url.is_tls) => Err(ConfigError::Plain {
            url: url.to_string(),
        }),
        _ => Ok(()),
    }
}

fn parse_url(url: &str) -> Result<LoginUrl, ConfigError> {
    let wrong = || ConfigError::Url {
        url: url.to_owned(),
    };
    let (is_tls, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://").ok_or_else(wrong)?),
    };
    let port = if is_tls { 443 } else { 80 };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = authority
        .parse()
        .or_else(|_| format!("{authority}:{port}").parse())
        .map_err(|_| wrong())?;
    let path = path.trim_end_matches('/');
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("/{path}")
    };
    Ok(LoginUrl {
        is_tls,
        address,
        prefix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Result<LoginAnswer, AnswerError> {
        serde_json::from_str::<LoginAnswer>(json).unwrap().checked()
    }

    #[test]
    fn reads_a_login_answer_and_keeps_what_it_does_not_know() {
        let answer = answer(
            r#"{"format":1,"device":"pc1","export":"debian/2","ticket":"T","expires_at":9,"write_cache":"device-ram","answered_from":7,
                "root":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","size_bytes":4096,
                "servers":[{"name":"s1","addresses":["127.0.0.1:1","[::1]:2"]}]}"#,
        )
        .unwrap();
        assert_eq!(answer.export_name(), "debian/2;T");
        assert_eq!(answer.write_cache, "device-ram");
        assert_eq!(answer.rest["answered_from"], 7);
        assert_eq!(answer.servers[0].parsed().unwrap().len(), 2);
    }

    #[test]
    fn encrypted_and_open_addresses_do_not_go_together() {
        let given = |urls: &[&str]| -> Vec<LoginUrl> {
            urls.iter().map(|url| parse_url(url).unwrap()).collect()
        };
        let mixed = given(&["https://192.0.2.1:1", "http://192.0.2.2:1"]);
        assert!(matches!(
            refuse_mixed(&mixed),
            Err(ConfigError::Plain { url }) if url == "http://192.0.2.2:1"
        ));
        for sound in [
            given(&["https://192.0.2.1:1", "http://127.0.0.1:1"]),
            given(&["https://192.0.2.1:1", "https://192.0.2.2:1"]),
            given(&["http://192.0.2.1:1", "http://192.0.2.2:1"]),
        ] {
            assert!(refuse_mixed(&sound).is_ok());
        }
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        let servers = r#""servers":[{"name":"s1","addresses":["127.0.0.1:1"]}]"#;
        assert!(matches!(
            answer(&format!(r#"{{"format":2,"export":"e",{servers}}}"#)),
            Err(AnswerError::Format { found: 2 })
        ));
        assert!(matches!(
            answer(&format!(
                r#"{{"format":1,"export":"e","root":"12",{servers}}}"#
            )),
            Err(AnswerError::Root { .. })
        ));
        assert!(matches!(
            answer(r#"{"format":1,"export":"e","servers":[]}"#),
            Err(AnswerError::NoServer)
        ));
        assert!(matches!(
            answer(
                r#"{"format":1,"export":"e","servers":[{"name":"s","addresses":["server:1"]}]}"#
            ),
            Err(AnswerError::Address { .. })
        ));
    }

    #[test]
    fn reads_urls_with_numeric_addresses_only() {
        let url = parse_url("http://10.0.2.2:8080/farm/").unwrap();
        assert_eq!(
            url,
            LoginUrl {
                is_tls: false,
                address: "10.0.2.2:8080".parse().unwrap(),
                prefix: "/farm".into()
            }
        );
        assert_eq!(parse_url("http://10.0.2.2").unwrap().address.port(), 80);
        let secured = parse_url("https://10.0.2.2").unwrap();
        assert!(secured.is_tls && secured.address.port() == 443);
        assert_eq!(secured.to_string(), "https://10.0.2.2:443");
        for wrong in ["ftp://10.0.2.2", "http://farm.example", "10.0.2.2:80"] {
            assert!(
                matches!(parse_url(wrong), Err(ConfigError::Url { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn never_prints_the_key() {
        assert_eq!(format!("{:?}", Secret("abc".into())), "(secret)");
    }
}
