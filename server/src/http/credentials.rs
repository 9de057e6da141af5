//! The key that a request carries: `Authorization: Bearer rc_…` or `X-API-Key: rc_…`.

use actix_web::http::header::{self, HeaderMap};

/// The key in these headers, unchecked; `None` if neither header is there.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return Some(value.to_str().ok().and_then(strip_bearer).unwrap_or_default());
    }
    let value = headers.get("x-api-key")?;
    Some(value.to_str().unwrap_or_default())
}

/// The key in the value of an `Authorization` header.
pub fn strip_bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::presented;

    #[test]
    fn a_key_is_found_in_either_header() {
        let with = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            headers
        };
        let found = |headers: &HeaderMap| presented(headers).map(|key| key.trim().to_owned());
        assert_eq!(found(&with("authorization", "Bearer rc_sdk_a")).as_deref(), Some("rc_sdk_a"));
        assert_eq!(found(&with("authorization", "BEARER  rc_sdk_a")).as_deref(), Some("rc_sdk_a"));
        assert_eq!(found(&with("x-api-key", "rc_sdk_a")).as_deref(), Some("rc_sdk_a"));
        assert_eq!(found(&with("authorization", "Basic abc")).as_deref(), Some(""), "sent, but no key");
        assert_eq!(found(&HeaderMap::new()), None);
    }
}
