//! Asks the farm what this device runs: one HTTP request to any URL that answers.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use trust::{distrust, name_of};

use crate::cache::CacheUse;
use crate::config::{AnswerError, Login, LoginAnswer, LoginUrl};
use crate::journal;

/// For one URL, everything included.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_ANSWER_BYTES: usize = 256 * 1024;
const RUNNING_VERSION_UNKNOWN: &str = "running-version-unknown";

/// What is read of a refusal.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// Why a login brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoginError {
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("{0}")]
    Untrusted(String),
    #[error("HTTP failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("the farm answered {status}: {body}")]
    Refused {
        status: StatusCode,
        /// The farm's name for the rule, if it said one.
        code: Option<String>,
        /// Its beginning.
        body: String,
    },
    #[error("the answer is longer than {LONGEST_ANSWER_BYTES} bytes or broke off")]
    Body,
    #[error("the answer cannot be understood: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl LoginError {
    /// Whether the farm has no ticket for what this device runs, however often it is asked.
    pub(crate) fn is_running_version_unknown(&self) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code == RUNNING_VERSION_UNKNOWN)
    }
}

/// What the device says of itself.
#[derive(Clone, Default)]
pub(crate) struct Asking<'a> {
    /// The root that runs; without one, the newest version of the device's image is asked for.
    pub(crate) running: Option<&'a str>,
    /// How full the device's own write cache is.
    pub(crate) cache: Option<CacheUse>,
    /// Of a device that starts: whether it has a disk for its write cache.
    pub(crate) has_cache_disk: Option<bool>,
}

impl Asking<'_> {
    /// Nothing for a device that has nothing to say.
    fn body(&self) -> Bytes {
        let mut body = serde_json::Map::new();
        if let Some(root) = self.running {
            body.insert("running".to_owned(), root.into());
            if let Some(cache) = &self.cache {
                body.insert("write_cache".to_owned(), serde_json::json!(cache));
            }
        }
        if let Some(has_disk) = self.has_cache_disk {
            body.insert("cache_disk".to_owned(), has_disk.into());
        }
        if body.is_empty() {
            return Bytes::new();
        }
        body.insert("format".to_owned(), 1.into());
        serde_json::Value::from(body).to_string().into()
    }
}

/// Asks each URL in turn.
///
/// # Errors
///
/// The last URL's, when none gave an answer.
pub(crate) async fn log_in(login: &Login, asking: Asking<'_>) -> Result<LoginAnswer, LoginError> {
    let mut last = LoginError::Timeout;
    // The same at each URL: one login is followed under one id through all processes that it passes.
    let request = request_id();
    for url in &login.urls {
        match timeout(TIMEOUT, ask(login, url, &asking, &request))
            .await
            .unwrap_or(Err(LoginError::Timeout))
        {
            Ok(answer) => {
                tell(login, &answer, &request);
                return Ok(answer);
            }
            Err(error) => {
                let (url, reason) = (url.to_string(), error.to_string());
                let about = [
                    ("url", url.as_str()),
                    ("reason", &reason),
                    ("request", &request),
                ];
                journal::say("login failed", &about);
                // All URLs are of one farm: the next one would say the same.
                if error.is_running_version_unknown() {
                    return Err(error);
                }
                last = error;
            }
        }
    }
    Err(last)
}

fn request_id() -> String {
    let random = RandomState::new();
    format!(
        "{:016x}{:016x}",
        random.hash_one(0_u8),
        random.hash_one(1_u8)
    )
}

/// Says what the farm answered, and whose login it is that what follows goes back to.
fn tell(login: &Login, answer: &LoginAnswer, request: &str) {
    journal::note_login(&login.device, request);
    let servers = answer.servers.iter().map(|server| server.name.as_str());
    let servers = servers.collect::<Vec<_>>().join(",");
    let about = [
        ("device", login.device.as_str()),
        ("version", &answer.export),
        ("write_cache", &answer.write_cache),
        ("servers", &servers),
        ("request", request),
    ];
    journal::say("logged in", &about);
}

async fn ask(
    login: &Login,
    url: &LoginUrl,
    asking: &Asking<'_>,
    request: &str,
) -> Result<LoginAnswer, LoginError> {
    let stream = TcpStream::connect(url.address).await?;
    if !url.is_tls {
        return send(stream, login, url, asking, request).await;
    }
    let Some(trust) = &login.trust else {
        // Refused when the configuration was read.
        return Err(LoginError::Untrusted("no root certificate".to_owned()));
    };
    let connector = TlsConnector::from(trust.config());
    let secured = connector.connect(name_of(url.address.ip()), stream).await;
    let secured = secured.map_err(|error| match distrust(&error) {
        Some(reason) => LoginError::Untrusted(reason),
        None => error.into(),
    })?;
    send(secured, login, url, asking, request).await
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    login: &Login,
    url: &LoginUrl,
    asking: &Asking<'_>,
    request_id: &str,
) -> Result<LoginAnswer, LoginError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::task::spawn_local(connection);
    let body = asking.body();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/v1/devices/{}/login", url.prefix, login.device))
        .header(HOST, url.address.to_string())
        .header("x-request-id", request_id)
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", login.key.0));
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(body))?;
    let response = sender.send_request(request).await;
    let answer = match response {
        Ok(response) => {
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST_ANSWER_BYTES)
                .collect()
                .await;
            let body = body.map_err(|_| LoginError::Body)?.to_bytes();
            if status.is_success() {
                let answer: LoginAnswer = serde_json::from_slice(&body)?;
                Ok(answer.checked()?)
            } else {
                let code = serde_json::from_slice(&body)
                    .ok()
                    .map(|problem: Problem| problem.code);
                let body = String::from_utf8_lossy(body.get(..512).unwrap_or(&body)).into_owned();
                Err(LoginError::Refused { status, code, body })
            }
        }
        Err(error) => Err(error.into()),
    };
    connection.abort();
    answer
}
