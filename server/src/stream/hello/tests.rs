use actix_web::http::header::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn the_members_of_a_hello_may_be_query_parameters() {
    let hash = "ab".repeat(32);
    let query = format!("sdk=ripcord-js%2F1.0&instance=web+1&instance_id=i1&epoch=2&revision=7&hash={hash}&environment=staging");
    let query = StreamQuery::parse(&query);
    assert_eq!(query.environment.as_deref(), Some("staging"));
    let hello = query.hello(&HeaderMap::new()).unwrap();
    assert_eq!(
        (hello.sdk.as_str(), hello.instance.as_str(), hello.instance_id.as_str()),
        ("ripcord-js/1.0", "web 1", "i1")
    );
    assert_eq!(hello.position(), Some(Position::new(2, 7)));
    assert_eq!(hello.hash.unwrap().to_string(), hash);
    assert!(hello.acknowledges);
}

#[test]
fn a_reader_that_says_nothing_of_itself_is_one_that_cannot_acknowledge() {
    let hello = StreamQuery::parse("").hello(&headers(&[("user-agent", "curl/8")])).unwrap();
    assert_eq!(hello.sdk, "curl/8");
    assert_eq!(hello.instance_id.len(), 32);
    assert_eq!(hello.position(), None);
    assert!(!hello.acknowledges);
}

#[test]
fn the_last_event_id_weighs_more_than_the_query() {
    let hello = StreamQuery::parse("instance_id=i&epoch=1&revision=1")
        .hello(&headers(&[("last-event-id", "1:9")]))
        .unwrap();
    assert_eq!(hello.position(), Some(Position::new(1, 9)));
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for (query, name) in [
        ("epoch=x&revision=1", "epoch"),
        ("epoch=1&revision=-1", "revision"),
        ("hash=zz", "hash"),
        ("instance_id=i&acknowledges=maybe", "acknowledges"),
    ] {
        let refusal = StreamQuery::parse(query).hello(&HeaderMap::new()).unwrap_err();
        assert_eq!(refusal.problem().errors[0].path, name, "{}", refusal.problem().detail);
    }
    let long = format!("instance={}", "n".repeat(256));
    assert!(StreamQuery::parse(&long).hello(&HeaderMap::new()).is_err());
    assert!(StreamQuery::parse("").hello(&headers(&[("last-event-id", "seven")])).is_err());
}
