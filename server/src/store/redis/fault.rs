//! What is wrong with Redis, in the terms of `/readyz`.

use redis::{ErrorKind, RedisError};
use ripcord_proto::rest::health::HealthCode;

/// Why the store is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoreFault {
    pub(super) code: HealthCode,
    /// For people: what Redis says, and what helps.
    pub(super) why: String,
}

impl StoreFault {
    /// It cannot be reached.
    pub(super) fn unreachable(why: impl Into<String>) -> Self {
        Self {
            code: HealthCode::StoreUnreachable,
            why: why.into(),
        }
    }

    /// What an error of Redis means.
    pub(super) fn of(error: &RedisError) -> Self {
        let code = code(error);
        let help = help(code);
        let why = if help.is_empty() { error.to_string() } else { format!("{help} ({error})") };
        Self { code, why }
    }
}

fn code(error: &RedisError) -> HealthCode {
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => return HealthCode::StoreWrongPassword,
        Some("NOPERM") => return HealthCode::StoreForbidden,
        Some("READONLY") => return HealthCode::StoreReadOnly,
        Some("OOM") => return HealthCode::StoreOutOfMemory,
        Some("MISCONF") => return HealthCode::StoreDisk,
        Some("LOADING") => return HealthCode::StoreLoading,
        Some("NOREPLICAS") => return HealthCode::StoreTooFewReplicas,
        Some(_) | None => {}
    }
    if error.kind() == ErrorKind::AuthenticationFailed {
        return HealthCode::StoreWrongPassword;
    }
    // Redis has no code of its own for this.
    let text = error.to_string();
    if text.contains("DB index") || text.contains("switch database") {
        return HealthCode::StoreNoDatabase;
    }
    // The cause is inside the text of the error with which a script ended.
    let inner = [
        ("READONLY", HealthCode::StoreReadOnly),
        ("OOM", HealthCode::StoreOutOfMemory),
        ("MISCONF", HealthCode::StoreDisk),
        ("NOPERM", HealthCode::StoreForbidden),
        ("NOREPLICAS", HealthCode::StoreTooFewReplicas),
        ("WRONGPASS", HealthCode::StoreWrongPassword),
        ("NOAUTH", HealthCode::StoreWrongPassword),
    ];
    let said = inner.into_iter().find(|(word, _)| text.contains(word));
    match (said, error.code()) {
        (Some((_, code)), _) => code,
        (None, Some(_)) => HealthCode::StoreRefusesWrites,
        (None, None) => HealthCode::StoreUnreachable,
    }
}

fn help(code: HealthCode) -> &'static str {
    match code {
        HealthCode::StoreWrongPassword => "Redis refuses the user or the password; correct --store",
        HealthCode::StoreNoDatabase => "Redis has no database of that number; correct --store",
        HealthCode::StoreForbidden => "the user of Redis may not run what Ripcord needs; allow it +@all on the keys ripcord:* and the channels ripcord:*",
        HealthCode::StoreReadOnly => "Redis is a read-only replica; point --store at the primary",
        HealthCode::StoreOutOfMemory => "Redis has reached its maxmemory; raise it",
        HealthCode::StoreDisk => "Redis cannot write to its disk; free up space there",
        HealthCode::StoreLoading => "Redis is loading its data",
        HealthCode::StoreTooFewReplicas => "Redis has fewer replicas than min-replicas-to-write demands",
        HealthCode::StoreRefusesWrites => "Redis refuses to write",
        HealthCode::StoreUnreachable
        | HealthCode::StoreReseeding
        | HealthCode::MirrorUnwritable
        | HealthCode::Behind
        | HealthCode::PeerUnreachable
        | HealthCode::NotHydrated
        | HealthCode::ShuttingDown => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_redis_has_its_code() {
        let server = |line: &str| redis::parse_redis_value(line.as_bytes()).and_then(redis::Value::extract_error).unwrap_err();
        for (line, code) in [
            ("-READONLY You can't write against a read only replica.\r\n", HealthCode::StoreReadOnly),
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", HealthCode::StoreOutOfMemory),
            ("-NOPERM this user has no permissions\r\n", HealthCode::StoreForbidden),
            ("-WRONGPASS invalid username-password pair\r\n", HealthCode::StoreWrongPassword),
            ("-MISCONF Redis is configured to save RDB snapshots\r\n", HealthCode::StoreDisk),
            ("-NOREPLICAS Not enough good replicas to write.\r\n", HealthCode::StoreTooFewReplicas),
            ("-ERR DB index is out of range\r\n", HealthCode::StoreNoDatabase),
            ("-ERR something else\r\n", HealthCode::StoreRefusesWrites),
        ] {
            assert_eq!(code, StoreFault::of(&server(line)).code, "{line}");
        }
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(StoreFault::of(&refused).code, HealthCode::StoreUnreachable);
    }
}
