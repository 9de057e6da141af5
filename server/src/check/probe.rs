//! One probe: a GET, its status, and one place of its body.

use std::error::Error as _;
use std::time::{Duration, Instant};

use reqwest::Url;
use ripcord_proto::check::Check;

use super::body;
use crate::outbound::Outbound;

/// Most bytes of a body that are read.
const BODY: usize = 64 * 1024;

/// Sends the request and describes the response: `Ok` if it is what the check expects.
pub(super) async fn ask(http: &reqwest::Client, outbound: &Outbound, check: &Check) -> Result<String, String> {
    let began = Instant::now();
    let patience = Duration::from_millis(check.timeout_ms);
    match tokio::time::timeout(patience, get(http, outbound, check)).await {
        Ok(Ok(came)) => Ok(format!("{came} in {} ms", began.elapsed().as_millis())),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("no answer within {} ms", check.timeout_ms)),
    }
}

async fn get(http: &reqwest::Client, outbound: &Outbound, check: &Check) -> Result<String, String> {
    let url = Url::parse(&check.url).map_err(|error| format!("{} is not an address: {error}", check.url))?;
    outbound.check(&url).map_err(|refusal| refusal.to_string())?;
    let answer = http.get(url).send().await.map_err(|error| unreachable_because(&error))?;
    let status = answer.status().as_u16();
    if status != check.expect {
        return Err(format!("{status}, expected {}", check.expect));
    }
    let Some(expected) = &check.body else {
        return Ok(status.to_string());
    };
    let bytes = read(answer).await?;
    body::judge(expected, &bytes).map(|found| format!("{status}, {found}"))
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable_because(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BODY {
            return Err(format!("the body is longer than {} KiB, the most that is read", BODY / 1024));
        }
    }
    Ok(bytes)
}

/// The innermost cause; the outer ones only repeat the address.
fn unreachable_because(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "the request failed".to_owned(), |cause| format!("no answer: {cause}"))
}
