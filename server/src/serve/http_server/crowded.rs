//! Connections that arrive when all ordinary places are taken: kills, restores and rollbacks are served, everything else gets a
//! 503 at once, so that it frees its place.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ripcord_proto::problem::{Code, Problem};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::telemetry::names;

/// How long such a connection may take to show what it wants.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same if many of them have not shown it yet: a request comes right behind its connection, and those that say nothing must not
/// take the places of those that do.
const LITTLE_PATIENCE: Duration = Duration::from_millis(100);
/// So many are many.
const MANY: usize = 32;

/// Connections of this process that have not shown what they want.
static UNDECIDED: AtomicUsize = AtomicUsize::new(0);

/// A whole response, since no HTTP service sees this connection.
fn refusal() -> String {
    let problem = Problem::new(
        Code::NotReady,
        "This node has no connection left for this request; it still takes kills, restores and rollbacks. Try again, or ask another node.",
    );
    let body = serde_json::to_string(&problem).unwrap_or_default();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Waits for the request line without consuming it, and refuses the connection unless it asks for something that must not wait.
pub(super) async fn admitted(stream: TcpStream) -> io::Result<TcpStream> {
    let mut head = [0; 512];
    let patience = if UNDECIDED.fetch_add(1, Ordering::Relaxed) < MANY {
        PATIENCE
    } else {
        LITTLE_PATIENCE
    };
    let read = tokio::time::timeout(patience, first_line(&stream, &mut head)).await;
    UNDECIDED.fetch_sub(1, Ordering::Relaxed);
    let line = head.get(..read.unwrap_or(Ok(0))?).unwrap_or_default();
    if must_not_wait(line) {
        return Ok(stream);
    }
    metrics::counter!(names::CONNECTIONS_REFUSED).increment(1);
    let mut stream = stream;
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(refusal().as_bytes())).await;
    Err(io::Error::other("no connection is left for this request"))
}

/// How many bytes of the first line are there.
async fn first_line(stream: &TcpStream, head: &mut [u8; 512]) -> io::Result<usize> {
    let mut before = 0;
    loop {
        let read = stream.peek(head).await?;
        let line = head.get(..read).unwrap_or_default();
        if read == head.len() || line.contains(&b'\n') || read == before && read == 0 {
            return Ok(read);
        }
        if read == before {
            // A peek returns at once while there is something to read.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        before = read;
    }
}

/// Whether a request line asks for a kill, a restore, a rollback, or how the node is.
fn must_not_wait(line: &[u8]) -> bool {
    let line = line.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let mut words = line.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return false;
    };
    let path = target.split('?').next().unwrap_or_default();
    let mut parts = path.trim_start_matches('/').split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("v1"), Some("environments"), Some(_), Some("kills" | "rollbacks")) => ["GET", "POST", "DELETE", "PATCH"].contains(&method),
        (Some("healthz" | "readyz"), None, None, None) => method == "GET",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_not_wait_is_admitted() {
        assert!(must_not_wait(b"POST /v1/environments/production/kills?wait=2 HTTP/1.1\r\n"));
        assert!(must_not_wait(b"DELETE /v1/environments/production/kills/k_1 HTTP/1.1\r\n"));
        assert!(must_not_wait(b"POST /v1/environments/production/rollbacks HTTP/1.1\r\n"));
        assert!(must_not_wait(b"GET /readyz HTTP/1.1\r\n"));
        assert!(!must_not_wait(b"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\n"));
        assert!(!must_not_wait(b"GET /v1/stream HTTP/1.1\r\n"));
        assert!(!must_not_wait(b"\x16\x03\x01"));
        assert!(!must_not_wait(b""));
    }

    #[test]
    fn the_refusal_is_a_whole_response() {
        let text = refusal();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((problem["code"].as_str(), problem["status"].as_u64()), (Some("NOT_READY"), Some(503)));
    }
}
