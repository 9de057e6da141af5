//! Flags as tests need them, in the fixed JSON.

use serde_json::{Value, json};

/// A boolean flag that serves `default` (`on` or `off`) to every user and is `off` when killed.
pub fn boolean(default: &str) -> Value {
    json!({"variants": {"on": true, "off": false}, "default": default, "safe": "off"})
}

/// The same with tags.
pub fn tagged(default: &str, tags: &[&str]) -> Value {
    let mut flag = boolean(default);
    flag["tags"] = json!(tags);
    flag
}

/// A flag that gives `on` to a percentage of users, by their targeting key.
pub fn rollout(percent: u32) -> Value {
    let mut flag = boolean("off");
    flag["rules"] = json!([{"serve": {"split": [
        {"variant": "on", "weight": percent}, {"variant": "off", "weight": 100 - percent}
    ]}}]);
    flag
}

/// A flag with a number that serves `n` to every user, and 0 when killed.
pub fn number(n: u64) -> Value {
    json!({"variants": {"now": n, "none": 0}, "default": "now", "safe": "none"})
}

/// A flag of about `bytes` bytes.
pub fn large(bytes: usize, fill: char) -> Value {
    let filling: String = std::iter::repeat_n(fill, bytes).collect();
    json!({"variants": {"now": filling, "none": ""}, "default": "now", "safe": "none"})
}

/// The change of a commit that puts a flag.
pub fn put(key: &str, flag: &Value) -> Value {
    json!({"put_flag": {"key": key, "flag": flag}})
}

/// The change of a commit that deletes a flag.
pub fn delete(key: &str) -> Value {
    json!({"delete_flag": key})
}
