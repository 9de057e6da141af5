//! A query of Prometheus over its HTTP API. Anything but one finite number is unknown, and unknown never passes.

use std::time::Duration;

use reqwest::Url;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::gate::{GateVerdict, PrometheusQuery};
use serde_json::Value;

use super::Lasting;
use crate::outbound::Outbound;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read, at most: one number needs few.
const BYTES: usize = 256 * 1024;

/// The kinds of errors that Prometheus has.
const ERROR_TYPES: [&str; 8] = [
    "bad_data",
    "execution",
    "timeout",
    "canceled",
    "internal",
    "unavailable",
    "not_found",
    "not_acceptable",
];

/// Queries Prometheus where this server may. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::rollout) struct PrometheusClient {
    outbound: Outbound,
    http: Option<reqwest::Client>,
}

impl PrometheusClient {
    pub(in crate::rollout) fn new(outbound: Outbound) -> Self {
        let http = outbound.client("ripcord-gate");
        let http = http.inspect_err(|error| tracing::error!(%error, "gates cannot query Prometheus; all of them count as unknown"));
        Self { outbound, http: http.ok() }
    }
}

/// Fetches the one value of a query, or explains why there is none.
pub(in crate::rollout) async fn ask(prometheus: &PrometheusClient, address: Option<&str>, query: &str) -> Result<f64, String> {
    let Some(address) = address else {
        return Err("no Prometheus address is configured: set the gate's \"url\", or \"prometheus\" in the environment's policy".to_owned());
    };
    let answer = tokio::time::timeout(PATIENCE, get(prometheus, address, query)).await;
    let text = answer.unwrap_or_else(|_| Err(format!("Prometheus did not answer within {} s", PATIENCE.as_secs())))?;
    value_of(&text)
}

async fn get(prometheus: &PrometheusClient, address: &str, query: &str) -> Result<Vec<u8>, String> {
    let encoded = percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC);
    let url = format!("{}/api/v1/query?query={encoded}", address.trim_end_matches('/'));
    let away = |error: reqwest::Error| format!("Prometheus cannot be reached: {}", error.without_url());
    let url = Url::parse(&url).map_err(|error| format!("{address} is not an address: {error}"))?;
    prometheus.outbound.check(&url).map_err(|refusal| refusal.to_string())?;
    let Some(http) = &prometheus.http else {
        return Err("this node cannot query Prometheus because its HTTP client could not be created; see its log".to_owned());
    };
    let mut answer = http.get(url).send().await.map_err(away)?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(away)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BYTES {
            return Err("the response from Prometheus is too large for a single value".to_owned());
        }
    }
    if status.is_success() {
        return Ok(bytes);
    }
    // The message may hold what a reader of the gate may not see, so only its kind is passed on, which is one of Prometheus's own.
    let kind = serde_json::from_slice::<Value>(&bytes)
        .ok()
        .and_then(|body| ERROR_TYPES.into_iter().find(|kind| body.get("errorType").and_then(Value::as_str) == Some(kind)));
    Err(format!(
        "Prometheus returned status {}{}; run the query there to see why",
        status.as_u16(),
        kind.map(|kind| format!(" ({kind})")).unwrap_or_default()
    ))
}

/// The one finite number of an answer.
fn value_of(text: &[u8]) -> Result<f64, String> {
    let body: Value = serde_json::from_slice(text).map_err(|_| "the response is not JSON, so this is not Prometheus".to_owned())?;
    let data = body.get("data").filter(|_| body.get("status").and_then(Value::as_str) == Some("success"));
    let data = data.ok_or_else(|| "Prometheus did not report success".to_owned())?;
    let result = data.get("result").ok_or_else(|| "the response from Prometheus has no result".to_owned())?;
    let pair = match data.get("resultType").and_then(Value::as_str) {
        Some("scalar") => result,
        Some("vector") => match result.as_array().map(Vec::as_slice) {
            Some([one]) => one.get("value").unwrap_or(&Value::Null),
            Some([]) => return Err("the query returns no value".to_owned()),
            Some(several) => return Err(format!("the query returns {} values; a gate needs exactly one", several.len())),
            None => return Err("the response from Prometheus has no result".to_owned()),
        },
        Some(kind @ ("matrix" | "string")) => return Err(format!("the query returns a {kind}; a gate needs exactly one value")),
        Some(_) | None => return Err("the response from Prometheus has a result without a type".to_owned()),
    };
    let text = pair
        .get(1)
        .and_then(Value::as_str)
        .ok_or_else(|| "the response from Prometheus has no value".to_owned())?;
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) => Err(format!("the query returns {value}")),
        Err(_) => Err("the value is not a number".to_owned()),
    }
}

/// Judges a value; `lasting` is how long it has been outside the limit, if it is.
pub(in crate::rollout) fn judge(query: &PrometheusQuery, value: f64, lasting: Option<Lasting>) -> (GateVerdict, String) {
    let Some(lasting) = lasting else {
        return (GateVerdict::Pass, format!("{value} is {}", bounds(query)));
    };
    let lasting = HumanDuration::from_millis(u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX));
    if lasting >= query.lasting {
        let long = if query.lasting == HumanDuration::ZERO {
            String::new()
        } else {
            format!(" for {}", query.lasting)
        };
        return (GateVerdict::Fail, format!("{value} is not {}{long}", bounds(query)));
    }
    // Not failed yet, and nothing that a step may end on.
    (
        GateVerdict::Unknown,
        format!("{value} has not been {} for {lasting}; the gate fails after {}", bounds(query), query.lasting),
    )
}

fn bounds(query: &PrometheusQuery) -> String {
    let below = query.below.map(|most| format!("below {most}"));
    let above = query.above.map(|least| format!("above {least}"));
    below.into_iter().chain(above).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(values: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{values}]}}}}"#)
    }

    #[test]
    fn one_finite_number_is_a_value() {
        let answer = vector(r#"{"metric":{},"value":[1,"0.42"]}"#);
        assert_eq!(value_of(answer.as_bytes()), Ok(0.42));
        assert_eq!(value_of(br#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#), Ok(7.0));
    }

    #[test]
    fn nothing_else_is() {
        let two = vector(r#"{"value":[1,"1"]},{"value":[1,"2"]}"#);
        for (answer, words) in [
            (vector(""), ""),
            (two, "2 values"),
            (vector(r#"{"value":[1,"NaN"]}"#), "NaN"),
            (vector(r#"{"value":[1,"+Inf"]}"#), "inf"),
            (vector(r#"{"value":[1,"many"]}"#), ""),
            (vector(r#"{"value":"1"}"#), ""),
            ("<html>".to_owned(), ""),
            (r#"{"status":"error","error":"bad"}"#.to_owned(), ""),
            (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned(), "matrix"),
            ("{}".to_owned(), ""),
        ] {
            let why = value_of(answer.as_bytes()).unwrap_err();
            assert!(why.contains(words), "{why}");
            assert!(!why.contains("many"), "no text of another service is repeated: {why}");
        }
    }

    #[test]
    fn a_value_fails_only_when_it_was_wrong_for_long_enough() {
        let query = PrometheusQuery {
            prometheus: "p99".to_owned(),
            url: None,
            below: Some(0.8),
            above: None,
            lasting: HumanDuration::from_millis(120_000),
        };
        let seconds = Duration::from_secs;
        assert_eq!(judge(&query, 0.5, None), (GateVerdict::Pass, "0.5 is below 0.8".to_owned()));
        assert_eq!(judge(&query, 0.9, Some(seconds(30))).0, GateVerdict::Unknown);
        assert_eq!(
            judge(&query, 0.9, Some(seconds(120))),
            (GateVerdict::Fail, "0.9 is not below 0.8 for 2m".to_owned())
        );
    }
}
