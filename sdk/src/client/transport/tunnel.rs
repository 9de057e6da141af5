//! The way to a server: directly, or through an HTTP proxy, which is asked for a tunnel by `CONNECT`.

use reqwest::Url;
use ripcord_proto::proxy::ProxySettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::protocol::StreamError;

/// The longest answer of a proxy that is read.
const ANSWER_BYTES: usize = 16 * 1024;

/// A proxy that is on the way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyRoute {
    url: Url,
}

impl ProxyRoute {
    /// The proxy for `base` by the rule of all of Ripcord's programs; `None` if it is reached directly.
    pub(super) fn to(base: &Url, settings: &ProxySettings) -> Option<Self> {
        let host = base.host_str()?.trim_matches(['[', ']']);
        let proxy = if base.scheme() == "https" { &settings.https } else { &settings.http };
        let proxy = proxy.as_ref().filter(|_| !settings.is_direct(host))?;
        let text = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
        let url = Url::parse(&text).ok().filter(|url| url.scheme() == "http" && url.host().is_some());
        if url.is_none() {
            tracing::warn!("the proxy of the environment is not used: only http:// proxies are");
        }
        url.map(|url| Self { url })
    }

    /// The proxy's address, with user and password.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// A connection to `host` through the proxy.
    async fn tunnel(&self, host: &str, port: u16) -> Result<TcpStream, StreamError> {
        let proxy = (
            self.url.host_str().unwrap_or_default().trim_matches(['[', ']']),
            self.url.port_or_known_default().unwrap_or(80),
        );
        let failed = |why: &dyn std::fmt::Display| StreamError::Broken(format!("{host}:{port} through the proxy {}:{}: {why}", proxy.0, proxy.1));
        let mut tcp = TcpStream::connect(proxy).await.map_err(|error| failed(&error))?;
        let target = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let authorization = self
            .authorization()
            .map(|value| format!("Proxy-Authorization: Basic {value}\r\n"))
            .unwrap_or_default();
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        tcp.write_all(request.as_bytes()).await.map_err(|error| failed(&error))?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the head belongs to the server.
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = tcp.read_u8().await.map_err(|error| failed(&error))?;
            answer.push(byte);
            if answer.len() > ANSWER_BYTES {
                return Err(failed(&"its answer is too long"));
            }
        }
        let head = String::from_utf8_lossy(&answer);
        let first = head.lines().next().unwrap_or_default();
        let status = first.split(' ').nth(1).unwrap_or_default();
        if status.len() == 3 && status.starts_with('2') {
            Ok(tcp)
        } else {
            Err(failed(&first))
        }
    }

    fn authorization(&self) -> Option<String> {
        let user = self.url.username();
        let password = self.url.password().unwrap_or_default();
        (!user.is_empty()).then(|| base64(&[unescaped(user), b":".to_vec(), unescaped(password)].concat()))
    }
}

/// A connection to `host`.
pub(super) async fn connect(route: Option<&ProxyRoute>, host: &str, port: u16) -> Result<TcpStream, StreamError> {
    let failed = |error: std::io::Error| StreamError::Broken(format!("{host}:{port}: {error}"));
    let tcp = match route {
        Some(route) => route.tunnel(host, port).await?,
        None => TcpStream::connect((host, port)).await.map_err(failed)?,
    };
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

/// Without the escapes of a URL.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    bytes
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS.get((bits & 63) as usize).map_or('=', |digit| char::from(*digit));
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.push(digit(bits >> 18));
        text.push(digit(bits >> 12));
        text.push(if chunk.len() > 1 { digit(bits >> 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(bits) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn settings(proxy: &str, direct: &str) -> ProxySettings {
        ProxySettings {
            http: Some(proxy.to_owned()),
            https: Some(proxy.to_owned()),
            direct: direct.to_owned(),
        }
    }

    #[test]
    fn user_and_password_are_sent_as_basic_authentication() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(unescaped("a%40b%"), b"a@b%");
    }

    #[test]
    fn only_what_is_not_reached_directly_goes_through_a_proxy() {
        let base: Url = "https://flags.example.com/".parse().unwrap();
        assert!(ProxyRoute::to(&base, &settings("proxy:3128", "localhost")).is_some());
        assert!(ProxyRoute::to(&base, &settings("http://proxy:3128", "localhost,example.com")).is_none());
        assert!(ProxyRoute::to(&base, &settings("socks5://proxy:1080", "localhost")).is_none());
        assert!(ProxyRoute::to(&base, &ProxySettings::default()).is_none());
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_and_its_refusal_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = tokio::spawn(async move {
            let mut heads = Vec::new();
            for answer in ["HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"] {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(tcp.read_u8().await.unwrap());
                }
                tcp.write_all(answer.as_bytes()).await.unwrap();
                heads.push(String::from_utf8(head).unwrap());
            }
            heads
        });
        let base: Url = "https://flags.example.com/".parse().unwrap();
        let route = ProxyRoute::to(&base, &settings(&format!("http://ada:s%40c@{address}"), "localhost")).unwrap();
        let mut tcp = connect(Some(&route), "flags.example.com", 443).await.unwrap();
        let mut greeting = [0; 5];
        tcp.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"hello");
        let refused = connect(Some(&route), "flags.example.com", 443).await.unwrap_err();
        assert!(format!("{refused:?}").contains("407"), "{refused:?}");
        let heads = proxy.await.unwrap();
        assert!(heads[0].starts_with("CONNECT flags.example.com:443 HTTP/1.1\r\n"), "{heads:?}");
        assert!(heads[0].contains("Proxy-Authorization: Basic YWRhOnNAYw==\r\n"), "{heads:?}");
    }
}
