//! The farm as devices see it: a login URL that answers as a test says, and tickets that its servers believe.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chunk_store::RootHash;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::processes::{ANY_PORT, EXPORT, HANGS_AFTER};

const KEY: [u8; 32] = [7; 32];

/// What tickets are checked with.
pub(crate) fn public_key() -> [u8; 32] {
    SigningKey::from_bytes(&KEY).verifying_key().to_bytes()
}

/// A ticket that opens `root` until `expires_at`, in seconds since 1970.
pub(crate) fn ticket(root: RootHash, expires_at: u64) -> String {
    let mut bytes = vec![1, 1];
    bytes.extend_from_slice(root.as_bytes());
    bytes.extend_from_slice(&expires_at.to_le_bytes());
    bytes.extend_from_slice(&[9; 16]);
    let signature =
        SigningKey::from_bytes(&KEY).sign(&[b"corral ticket v1\0", bytes.as_slice()].concat());
    bytes.extend_from_slice(&signature.to_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the farm says to a device, with a ticket that ends at `expires_at`.
pub(crate) fn answer(
    root: RootHash,
    ticket: &str,
    expires_at: u64,
    server: SocketAddr,
) -> serde_json::Value {
    serde_json::json!({
        "format": 1, "device": "pc1", "export": EXPORT, "root": root.to_string(), "ticket": ticket,
        "expires_at": expires_at, "write_cache": "device-ram",
        "servers": [{"name": "a", "addresses": [server.to_string()]}],
    })
}

/// Status line and body.
pub(crate) type Reply = (&'static str, serde_json::Value);

/// Answers logins on a thread of its own, as long as the test runs.
pub(crate) struct Farm {
    address: SocketAddr,
    requests: Receiver<Vec<u8>>,
}

impl Farm {
    /// `reply` gets the number of the login, from 0.
    pub(crate) fn start(mut reply: impl FnMut(usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = channel();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                answer_one(stream.unwrap(), &seen, || reply(number));
            }
        });
        Self { address, requests }
    }

    /// The body of the next login, which is `None` when it is empty.
    pub(crate) fn next_login(&self) -> Option<serde_json::Value> {
        let body = self.requests.recv_timeout(HANGS_AFTER).unwrap();
        (!body.is_empty()).then(|| serde_json::from_slice(&body).unwrap())
    }

    /// A client's configuration to log in here.
    pub(crate) fn configuration(&self, folder: &Path) -> serde_json::Value {
        let key = folder.join("pc1.key");
        File::create(&key)
            .unwrap()
            .write_all(b"a-key-that-nobody-may-see\n")
            .unwrap();
        let urls = [format!("http://{}", self.address)];
        serde_json::json!({"login": {"urls": urls, "device": "pc1", "key_file": key}})
    }
}

fn answer_one(mut stream: TcpStream, seen: &Sender<Vec<u8>>, reply: impl FnOnce() -> Reply) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    let mut is_json = false;
    for line in input.by_ref().lines() {
        let line = line.unwrap().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(("content-length", value)) = line.split_once(": ") {
            length = value.parse().unwrap();
        }
        is_json |= line == "content-type: application/json";
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).unwrap();
    assert_eq!(is_json, length > 0, "a body says what it is");
    let (status, answer) = reply();
    let _ = seen.send(body);
    let answer = answer.to_string();
    let length = answer.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
    )
    .unwrap();
}
