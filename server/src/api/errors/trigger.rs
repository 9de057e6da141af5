//! Triggers: refused deliveries, and payloads that cannot be tested.

use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::trigger::Trigger;

use crate::http::ApiError;
use crate::trigger::signature::SignatureError;
use crate::trigger::{DeliveryError, DryRunError};

impl From<DeliveryError> for ApiError {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Signature(error) => error.into(),
            DeliveryError::Unreadable(faults) => {
                let detail = "Nothing was done: this trigger cannot read the body. Each problem is listed in errors.";
                Problem::new(Code::Invalid, detail).with_errors(faults).into()
            }
            DeliveryError::Busy => {
                let detail = "Nothing was done: too many alerts are being handled at once. Send it again in a moment.";
                Self::new(Code::NotReady, detail).retry_after(1)
            }
            DeliveryError::Commit(error) => error.into(),
        }
    }
}

impl From<SignatureError> for ApiError {
    fn from(error: SignatureError) -> Self {
        match error {
            // The same for a trigger that does not exist, so that the answer does not tell which exist.
            SignatureError::Invalid => Self::new(
                Code::Unauthenticated,
                "Nothing was done: the hook does not exist, or the credential is missing or wrong. Send Authorization: Bearer …, or \
                 Ripcord-Signature: t=SECONDS,v1=HEX with the HMAC-SHA256 of SECONDS, a dot and the body. `ripcord trigger show NAME` shows which one it expects.",
            ),
            SignatureError::OutsideWindow(seconds) => Self::new(
                Code::Unauthenticated,
                format!(
                    "Nothing was done: the delivery was signed {} s {} this server's time; {} s are allowed. The delivery is old, or a clock is wrong.",
                    seconds.abs(),
                    if seconds < 0 { "before" } else { "after" },
                    Trigger::REPLAY_WINDOW_SECONDS
                ),
            ),
        }
    }
}

impl From<DryRunError> for ApiError {
    fn from(error: DryRunError) -> Self {
        match error {
            DryRunError::Payload(faults) => Self::invalid(faults.under("payload")),
            DryRunError::Commit(error) => error.into(),
        }
    }
}
