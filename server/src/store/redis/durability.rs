//! Settings of Redis that can lose acknowledged data, each with how to fix it. They are read once per connection; if the server
//! does not reveal them, that is a warning, too.

use redis::FromRedisValue;
use std::collections::HashMap;

use super::connection::RedisConnection;

/// The warnings for the server behind `live`.
pub(super) async fn warnings(live: &RedisConnection) -> Vec<String> {
    let mut settings = HashMap::new();
    for name in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
        match get(live, name).await {
            Ok(value) => _ = settings.insert(name, value),
            Err(why) => {
                return vec![format!(
                    "Redis does not reveal its settings ({why}), so it is unknown whether it can lose acknowledged commits. Make sure that it \
                     runs with appendonly yes, appendfsync always and maxmemory-policy noeviction, or allow this user CONFIG GET"
                )];
            }
        }
    }
    judge(&settings)
}

async fn get(live: &RedisConnection, name: &str) -> Result<String, String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answer: redis::Value = live.call(&command).await.map_err(|error| error.to_string())?;
    let settings = HashMap::<String, String>::from_redis_value(answer).map_err(|error| error.to_string())?;
    settings.get(name).cloned().ok_or_else(|| format!("no value for {name}"))
}

fn judge(settings: &HashMap<&str, String>) -> Vec<String> {
    let is = |name, value: &str| settings.get(name).is_some_and(|is| is == value);
    let mut warnings = Vec::new();
    if !is("appendonly", "yes") {
        warnings
            .push("Redis loses recent commits when it restarts (appendonly is off; nodes then re-seed it from their copies). Set appendonly yes.".to_owned());
    } else if is("appendfsync", "everysec") {
        warnings.push("Redis may lose the last second on a power cut (appendfsync everysec). Set appendfsync always.".to_owned());
    } else if !is("appendfsync", "always") {
        warnings.push("Redis may lose commits on a power cut (appendfsync no). Set appendfsync always.".to_owned());
    }
    let policy = settings.get("maxmemory-policy").map_or("", String::as_str);
    if policy != "noeviction" {
        let when = if is("maxmemory", "0") {
            "as soon as a maxmemory is set"
        } else {
            "when it is full"
        };
        warnings.push(format!(
            "Redis may evict flags and kills {when} (maxmemory-policy {policy}). Set maxmemory-policy noeviction."
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::judge;

    fn settings(appendonly: &str, appendfsync: &str, policy: &str) -> HashMap<&'static str, String> {
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
        assert!(judge(&settings("yes", "always", "noeviction")).is_empty());
    }

    #[test]
    fn each_setting_that_can_lose_data_is_named_with_its_remedy() {
        for (settings, names) in [
            (settings("no", "everysec", "noeviction"), "Set appendonly yes"),
            (settings("yes", "everysec", "noeviction"), "Set appendfsync always"),
            (settings("yes", "no", "noeviction"), "Set appendfsync always"),
            (settings("yes", "always", "allkeys-lru"), "Set maxmemory-policy noeviction"),
        ] {
            let warnings = judge(&settings);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(names), "{warnings:?}");
        }
    }
}
