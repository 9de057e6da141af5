//! The same over TLS: WebSocket over HTTP/1.1, events over HTTP/2.

use std::sync::Arc;

use ripcord_proto::Position;
use ripcord_proto::frame::ServerFrame;
use rustls_pki_types::{PrivateKeyDer, ServerName};

use super::harness::{Client, HttpNode, hello};
use crate::snapshot::fixture::Stage;

/// A certificate for `localhost` that signs itself: the server's settings, and what clients are to trust.
fn certificate() -> (Arc<rustls::ServerConfig>, rustls::RootCertStore, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (Arc::new(config), roots, made.cert.pem())
}

#[test]
fn websockets_and_events_are_carried_by_tls() {
    let (server, roots, pem) = certificate();
    HttpNode::run_with(
        Stage::new(500),
        |_, entry| entry.tls = Some(server),
        async |node| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            let stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
            let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
            let mut client = Client::over(stream, &node, "good", hello("a", None)).await;
            assert!(matches!(client.next().await, ServerFrame::Snapshot(snapshot, ..) if snapshot.flags.len() == 500));

            let http = reqwest::Client::builder()
                .add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
                .resolve("localhost", node.address)
                .build()
                .unwrap();
            let request = http.get(format!("https://localhost:{}/v1/stream?epoch=1&revision=1", node.address.port()));
            let response = request.header("x-api-key", "good").send().await.unwrap();
            assert_eq!(response.version(), reqwest::Version::HTTP_2);
            let mut events = super::harness::Events::of(response);
            node.stage().put(true);
            assert!(matches!(client.next().await, ServerFrame::Delta(delta) if delta.to == Position::new(1, 2)));
            assert!(matches!(events.next().await, (_, ServerFrame::Delta(delta)) if delta.to == Position::new(1, 2)));
        },
    );
}
