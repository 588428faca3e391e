//! `corral-target login` against a plain HTTP server that says what it is told to.
#![allow(clippy::unwrap_used, reason = "a test from end to end")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::thread;

use socket2::{Domain, Socket, Type};

const KEY: &str = "a-key-that-nobody-may-see";

/// Answers one request, and gives out its head.
fn answer_once(status: &'static str, body: String) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<_> = lines
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let _ = stream.read(&mut [0]);
        head.join("\n")
    });
    (address, server)
}

fn log_in(urls: &[String]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    fs::File::create(&key_file)
        .unwrap()
        .write_all(format!("{KEY}\n").as_bytes())
        .unwrap();
    let config =
        serde_json::json!({"login": {"urls": urls, "device": "pc1", "key_file": key_file}});
    let path = folder.path().join("config.json");
    fs::File::create(&path)
        .unwrap()
        .write_all(config.to_string().as_bytes())
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_corral-target"))
        .arg("login")
        .arg("--config")
        .arg(path)
        .output()
        .unwrap()
}

fn good_answer() -> String {
    serde_json::json!({
        "format": 1, "device": "pc1", "export": "debian/2", "root": "ab".repeat(32), "size_bytes": 4096, "ticket": "T",
        "expires_at": 4_000_000_000_u64, "write_cache": "device-ram",
        "servers": [{"name": "s1", "addresses": ["127.0.0.1:10811"]}],
    })
    .to_string()
}

#[test]
fn any_url_that_answers_will_do() {
    // Bound and not listening: refuses connections, and nobody else gets the port meanwhile.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let dead = socket.local_addr().unwrap().as_socket().unwrap();
    let (address, server) = answer_once("200 OK", good_answer());
    let output = log_in(&[format!("http://{dead}"), format!("http://{address}/farm/")]);
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer,
        serde_json::from_str::<serde_json::Value>(&good_answer()).unwrap()
    );
    let head = server.join().unwrap().to_lowercase();
    assert!(
        head.starts_with("post /farm/v1/devices/pc1/login http/1.1"),
        "{head}"
    );
    assert!(
        head.contains(&format!("authorization: bearer {KEY}")),
        "{head}"
    );
    assert!(!String::from_utf8_lossy(&output.stderr).contains(KEY));
}

#[test]
fn a_refusal_is_told_and_the_key_is_not() {
    let (address, _server) = answer_once(
        "401 Unauthorized",
        r#"{"code":"device-unknown"}"#.to_owned(),
    );
    let output = log_in(&[format!("http://{address}")]);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("401") && errors.contains("device-unknown"),
        "{errors}"
    );
    assert!(!errors.contains(KEY));
}

#[test]
fn an_answer_of_a_later_format_is_refused() {
    let body = good_answer().replace("\"format\":1", "\"format\":2");
    let (address, _server) = answer_once("200 OK", body);
    let output = log_in(&[format!("http://{address}")]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("upgrade the client"));
}

#[test]
fn a_login_is_known_by_one_id_whether_it_is_answered_or_refused() {
    for (status, body, event) in [
        ("200 OK", good_answer(), "logged in device=pc1"),
        ("401 Unauthorized", "{}".to_owned(), "login failed url="),
    ] {
        let (address, server) = answer_once(status, body);
        let done = log_in(&[format!("http://{address}")]);
        let head = server.join().unwrap();
        let sent = head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        let sent = sent.unwrap();
        assert_eq!(sent.len(), 32, "{sent}");
        let said = String::from_utf8_lossy(&done.stderr);
        let line = said.lines().find(|line| line.contains(event)).unwrap();
        assert!(line.ends_with(&format!(" request={sent}")), "{line}");
    }
}
