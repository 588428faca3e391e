//! Asks the farm what this device runs: one plain HTTP request to any URL that answers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cache::CacheUse;
use crate::config::{AnswerError, Login, LoginAnswer, LoginUrl};
use crate::journal::note;

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

/// Asks each URL in turn: for the newest version of the device's image, or for the root that is `running`, saying how full the
/// device's own write cache is.
///
/// # Errors
///
/// The last URL's, when none gave an answer.
pub(crate) async fn log_in(
    login: &Login,
    running: Option<&str>,
    cache: Option<CacheUse>,
) -> Result<LoginAnswer, LoginError> {
    let mut last = LoginError::Timeout;
    for url in &login.urls {
        match timeout(TIMEOUT, ask(login, url, running, cache))
            .await
            .unwrap_or(Err(LoginError::Timeout))
        {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                note!("login at http://{} failed: {error}", url.address);
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

async fn ask(
    login: &Login,
    url: &LoginUrl,
    running: Option<&str>,
    cache: Option<CacheUse>,
) -> Result<LoginAnswer, LoginError> {
    let stream = TcpStream::connect(url.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::task::spawn_local(connection);
    let body = running.map_or_else(Bytes::new, |root| {
        let mut body = serde_json::json!({"format": 1, "running": root});
        if let (Some(body), Some(cache)) = (body.as_object_mut(), cache) {
            body.insert("write_cache".to_owned(), serde_json::json!(cache));
        }
        body.to_string().into()
    });
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/v1/devices/{}/login", url.prefix, login.device))
        .header(HOST, url.address.to_string())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", login.key.0));
    if running.is_some() {
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
