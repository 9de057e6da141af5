//! Verifies that a delivery is genuine. Everything that depends on a secret is compared in constant time.
//!
//! | header | carries |
//! | --- | --- |
//! | `Authorization: Bearer …` | the token, for triggers that know their signals by one (Alertmanager sends it) |
//! | `Ripcord-Signature: t=1764000000,v1=…` | seconds since 1970, and HMAC-SHA256 of `t`, a dot and the body, in hexadecimal |
//! | `X-PagerDuty-Signature: v1=…` | HMAC-SHA256 of the body, as PagerDuty signs; its event's own time is used for `t` |
//!
//! A time that is more than five minutes away from the server's clock is refused. Within that window a repeated delivery is recognised
//! by its signature.

use jiff::Timestamp;
use ring::hmac;
use ripcord_proto::digest::Digest;
use ripcord_proto::trigger::{Credential, SignalSource, Trigger};
use subtle::ConstantTimeEq as _;

/// Signatures that one header may carry: while a secret is being changed, senders send two.
const SIGNATURES: usize = 4;

/// What a delivery shows for itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignatureHeaders<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// `Ripcord-Signature`.
    pub signature: Option<&'a str>,
    /// `X-PagerDuty-Signature`.
    pub pagerduty: Option<&'a str>,
}

/// A delivery that is genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VerifiedDelivery {
    /// When it was sent.
    pub(super) sent: SentAt,
    /// SHA-256 by which it is known again.
    pub(super) digest: Digest,
}

/// When a delivery was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentAt {
    /// Then: it was signed together with the body, and lies within the window.
    Signed(Timestamp),
    /// The body has to say so, and its time has to lie within the window.
    InBody,
    /// Not known: a bearer token proves who sends, but not when.
    Unknown,
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It carries no credential that this trigger accepts, or a wrong one.
    #[error("the delivery's credential is missing or wrong")]
    Invalid,
    /// It is genuine, and this many seconds away from the server's clock.
    #[error("the delivery was signed {0} s away from this server's time")]
    OutsideWindow(i64),
}

impl SignatureError {
    /// The name in metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "forged",
            Self::OutsideWindow(_) => "outside_the_window",
        }
    }
}

/// Checks a delivery of `trigger`.
pub(super) fn check(trigger: &Trigger, proof: &SignatureHeaders<'_>, body: &[u8], now: Timestamp) -> Result<VerifiedDelivery, SignatureError> {
    match &trigger.credential {
        // A gate has no hook.
        Credential::Inside => Err(SignatureError::Invalid),
        Credential::Bearer(hash) => {
            let token = proof.authorization.and_then(crate::access::keys::strip_bearer).ok_or(SignatureError::Invalid)?;
            let presented = Digest::of([token.trim().as_bytes()]);
            if bool::from(presented.bytes().ct_eq(hash.bytes())) {
                Ok(VerifiedDelivery {
                    sent: SentAt::Unknown,
                    digest: Digest::of([body]),
                })
            } else {
                Err(SignatureError::Invalid)
            }
        }
        Credential::Hmac(key) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
            match (proof.signature, proof.pagerduty) {
                (Some(header), _) => signed(&key, header, body, now),
                (None, Some(header)) if matches!(trigger.source, SignalSource::Pagerduty) => signed_by_pagerduty(&key, header, body),
                (None, _) => Err(SignatureError::Invalid),
            }
        }
    }
}

/// Whether a time lies within the window around `now`.
pub(super) fn check_window(at: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
    let seconds = at.duration_since(now).as_secs();
    if seconds.abs() <= Trigger::REPLAY_WINDOW_SECONDS {
        Ok(())
    } else {
        Err(SignatureError::OutsideWindow(seconds))
    }
}

fn signed(key: &hmac::Key, header: &str, body: &[u8], now: Timestamp) -> Result<VerifiedDelivery, SignatureError> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or(SignatureError::Invalid)?;
    let at = time
        .parse()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(SignatureError::Invalid)?;
    let tag = tag(key, &[time.as_bytes(), b".", body]);
    if !any_is(parts(), &tag) {
        return Err(SignatureError::Invalid);
    }
    // Only senders with the secret learn about the window.
    check_window(at, now)?;
    Ok(VerifiedDelivery {
        sent: SentAt::Signed(at),
        digest: Digest::of([time.as_bytes(), b".", body]),
    })
}

fn signed_by_pagerduty(key: &hmac::Key, header: &str, body: &[u8]) -> Result<VerifiedDelivery, SignatureError> {
    let tag = tag(key, &[body]);
    if any_is(header.split(',').filter_map(|part| part.trim().split_once('=')), &tag) {
        Ok(VerifiedDelivery {
            sent: SentAt::InBody,
            digest: Digest::of([body]),
        })
    } else {
        Err(SignatureError::Invalid)
    }
}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// Whether one of the header's signatures is the right one.
fn any_is<'a>(parts: impl Iterator<Item = (&'a str, &'a str)>, tag: &hmac::Tag) -> bool {
    let given = parts
        .filter(|(name, _)| *name == "v1")
        .take(SIGNATURES)
        .filter_map(|(_, hex)| hex.parse::<Digest>().ok());
    given
        .fold(subtle::Choice::from(0), |found, given| found | given.bytes()[..].ct_eq(tag.as_ref()))
        .into()
}

#[cfg(test)]
mod tests;
