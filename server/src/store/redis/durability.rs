//! Settings of Redis that can lose acknowledged data, each with how to fix it. They are read once per connection; if the server
//! does not reveal them, that is a warning, too.

use redis::FromRedisValue;
use std::collections::HashMap;

use super::connection::RedisConnection;

/// The warnings for the server behind `live`.
pub(super) async fn warnings(live: &RedisConnection) -> Vec<String> {
    let mut told = HashMap::new();
    for name in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
        match get(live, name).await {
            Ok(value) => _ = told.insert(name, value),
            Err(why) => {
                return vec![format!(
                    "Redis does not reveal its settings ({why}), so it is unknown whether acknowledged commits survive its restart; make sure that it \
                     runs with appendonly yes, appendfsync always and maxmemory-policy noeviction, or allow this user CONFIG GET"
                )];
            }
        }
    }
    judge(&told)
}

async fn get(live: &RedisConnection, name: &str) -> Result<String, String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answer: redis::Value = live.call(&command).await.map_err(|error| error.to_string())?;
    let settings = HashMap::<String, String>::from_redis_value(answer).map_err(|error| error.to_string())?;
    settings.get(name).cloned().ok_or_else(|| format!("no value for {name}"))
}

fn judge(told: &HashMap<&str, String>) -> Vec<String> {
    let is = |name, value: &str| told.get(name).is_some_and(|told| told == value);
    let mut warnings = Vec::new();
    if !is("appendonly", "yes") {
        warnings.push(
            "Redis runs without an append-only file, so its restart loses commits since its last snapshot; set appendonly yes (until then nodes \
             re-seed it from their own copies)"
                .to_owned(),
        );
    } else if is("appendfsync", "everysec") {
        warnings.push("Redis flushes its append-only file once a second, so a power cut can lose the last second; set appendfsync always".to_owned());
    } else if !is("appendfsync", "always") {
        warnings.push("Redis leaves flushing its append-only file to the kernel, so a power cut can lose commits; set appendfsync always".to_owned());
    }
    let policy = told.get("maxmemory-policy").map_or("", String::as_str);
    if policy != "noeviction" {
        let limited = if is("maxmemory", "0") {
            "as soon as a maxmemory is set"
        } else {
            "when it is full"
        };
        warnings.push(format!(
            "Redis evicts keys under its policy {policy} {limited}, and a flag or a kill can be among them; set maxmemory-policy noeviction"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::judge;

    fn told(appendonly: &str, appendfsync: &str, policy: &str) -> HashMap<&'static str, String> {
        [
            ("appendonly", appendonly),
            ("appendfsync", appendfsync),
            ("maxmemory", "0"),
            ("maxmemory-policy", policy),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    #[test]
    fn a_server_that_keeps_everything_gives_no_warning() {
        assert!(judge(&told("yes", "always", "noeviction")).is_empty());
    }

    #[test]
    fn each_setting_that_can_lose_data_is_named_with_the_way_out() {
        for (settings, names) in [
            (told("no", "everysec", "noeviction"), "set appendonly yes"),
            (told("yes", "everysec", "noeviction"), "set appendfsync always"),
            (told("yes", "no", "noeviction"), "set appendfsync always"),
            (told("yes", "always", "allkeys-lru"), "set maxmemory-policy noeviction"),
        ] {
            let warnings = judge(&settings);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(names), "{warnings:?}");
        }
    }
}
