//! A kill is refused for its scope, its key and the store of keys, and for nothing else: what is wrong with the headers and the query
//! beside it is ignored, and its answer says so.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest, web};
use ripcord_proto::rest::kills::kill_reason;
use ripcord_proto::rest::wait::Wait;

use crate::access::Permit;
use crate::access::permit::Kill;
use crate::api::services::guarded::app;
use crate::api::write::Write;
use crate::http::ApiError;
use crate::http::idempotency::Identity;
use crate::http::precondition::Condition;
use crate::http::query::WriteQuery;

/// An incoming kill, and what was ignored of it.
pub(in crate::api) struct LenientKill {
    pub(in crate::api) write: Write<Kill>,
    /// The reason of the query.
    pub(in crate::api) reason: Option<String>,
    pub(in crate::api) ignored: Vec<String>,
}

impl FromRequest for LenientKill {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(read(request, payload))
    }
}

fn read(request: &HttpRequest, payload: &mut Payload) -> Result<LenientKill, ApiError> {
    let permit = Permit::from_request(request, payload).into_inner()?;
    let app = app(request)?.clone();
    let mut ignored = Vec::new();
    let identity = Identity::from_request(request, payload).into_inner().unwrap_or_else(|_| {
        ignored.push("The Idempotency-Key is malformed and was ignored: a repeat of this request would be a new one.".to_owned());
        Identity::without_key(request)
    });
    for name in [IF_MATCH, IF_NONE_MATCH] {
        if request.headers().contains_key(&name) {
            ignored.push(format!("The header {name} was ignored: a kill has no condition."));
        }
    }
    let (wait, reason) = query(request.query_string(), &mut ignored);
    Ok(LenientKill {
        write: Write {
            app,
            permit,
            condition: Condition::Unconditional,
            identity,
            query: WriteQuery { wait, ..WriteQuery::default() },
        },
        reason,
        ignored,
    })
}

/// `?wait=` and `?reason=`; the first of each that can be read counts.
fn query(text: &str, ignored: &mut Vec<String>) -> (Option<Wait>, Option<String>) {
    let Ok(pairs) = web::Query::<Vec<(String, String)>>::from_query(text) else {
        ignored.push("The query cannot be read and was ignored.".to_owned());
        return (None, None);
    };
    let (mut wait, mut reason) = (None, None);
    for (name, value) in pairs.into_inner() {
        match name.as_str() {
            "wait" if wait.is_none() => match value.parse() {
                Ok(time) => wait = Some(time),
                Err(_) => ignored.push(format!("wait={value:?} is not a time such as 2s and was ignored.")),
            },
            "reason" if reason.is_none() => reason = kill_reason(&value, ignored),
            "wait" | "reason" => ignored.push(format!("{name} was given again; the first one counts.")),
            _ => ignored.push(format!("Query parameter {name:?} means nothing to a kill and was ignored.")),
        }
    }
    (wait, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_of_a_query_counts() {
        let mut ignored = Vec::new();
        let (wait, reason) = query("wait=soon&wait=2s&reason=%20&reason=5xx+spike&what&=&%ff=%fe&x=1", &mut ignored);
        assert_eq!(wait, "2s".parse().ok());
        assert_eq!(reason.as_deref(), Some("5xx spike"));
        assert_eq!(ignored.len(), 5, "{ignored:?}");
        let long = format!("reason={}", "a".repeat(2_001));
        let mut ignored = Vec::new();
        let (_, reason) = query(&long, &mut ignored);
        assert_eq!(reason.map(|reason| reason.len()), Some(2_000));
        assert_eq!(ignored.len(), 1);
    }
}
