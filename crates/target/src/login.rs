//! Asks the farm what this device runs: one plain HTTP request to any URL that answers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{AnswerError, Login, LoginAnswer, LoginUrl};
use crate::journal::note;

/// For one URL, everything included.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_ANSWER_BYTES: usize = 256 * 1024;

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
    Refused { status: StatusCode, body: String },
    #[error("the answer is longer than {LONGEST_ANSWER_BYTES} bytes or broke off")]
    Body,
    #[error("the answer cannot be understood: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// Asks each URL in turn.
///
/// # Errors
///
/// The last URL's, when none gave an answer.
pub(crate) async fn log_in(login: &Login) -> Result<LoginAnswer, LoginError> {
    let mut last = LoginError::Timeout;
    for url in &login.urls {
        match timeout(TIMEOUT, ask(login, url))
            .await
            .unwrap_or(Err(LoginError::Timeout))
        {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                note!("login at http://{} failed: {error}", url.address);
                last = error;
            }
        }
    }
    Err(last)
}

async fn ask(login: &Login, url: &LoginUrl) -> Result<LoginAnswer, LoginError> {
    let stream = TcpStream::connect(url.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::task::spawn_local(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/v1/devices/{}/login", url.prefix, login.device))
        .header(HOST, url.address.to_string())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", login.key.0))
        .body(Empty::<Bytes>::new())?;
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
                let body = String::from_utf8_lossy(body.get(..512).unwrap_or(&body)).into_owned();
                Err(LoginError::Refused { status, body })
            }
        }
        Err(error) => Err(error.into()),
    };
    connection.abort();
    answer
}
