//! Bodies that never end, without a valid key: they keep no connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::HttpNode;
use crate::snapshot::fixture::Stage;

/// Sends the head and the beginning of a body, and reads until the server closes.
async fn answered_and_closed(node: &HttpNode, framing: &str) -> Vec<u8> {
    let head = format!("POST /v1/stream/ack HTTP/1.1\r\nhost: here\r\nx-api-key: wrong\r\n{framing}");
    let mut connection = TcpStream::connect(node.address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset is closed as well.
    let closed = tokio::time::timeout(Duration::from_secs(20), connection.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "still open");
    answer
}

#[test]
fn a_refused_body_that_never_ends_keeps_no_connection() {
    HttpNode::run(Stage::new(1), async |node| {
        let stated = answered_and_closed(&node, "content-length: 4000\r\n\r\n{").await;
        let chunked = answered_and_closed(&node, "transfer-encoding: chunked\r\n\r\nfff\r\n{").await;
        for answer in [stated, chunked] {
            assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
        }
    });
}
