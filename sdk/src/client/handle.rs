//! Typed handles: a flag's key, type and default, declared once as a constant.

use serde_json::{Map, Value};

use super::reading::Reading;
use super::{Client, View};
use crate::engine::Context;

/// A flag that was declared with its type and default. [`Client::get`] and [`View::get`] evaluate it.
pub trait Handle: sealed::Sealed {
    /// What it is evaluated to.
    type Value;
    /// Its key.
    fn key(&self) -> &'static str;
    /// Evaluates it.
    #[doc(hidden)]
    fn read(&self, reading: Reading<'_>, context: &Context<'_>) -> Self::Value;
}

mod sealed {
    pub trait Sealed {}
}

/// Where flags can be evaluated: a client, or a view that one has pinned.
pub trait Evaluate {
    /// Evaluates a declared flag.
    fn evaluate<H: Handle>(&self, flag: &H, context: &Context<'_>) -> H::Value;
}

impl Evaluate for Client {
    #[inline]
    fn evaluate<H: Handle>(&self, flag: &H, context: &Context<'_>) -> H::Value {
        self.get(flag, context)
    }
}

impl Evaluate for View {
    #[inline]
    fn evaluate<H: Handle>(&self, flag: &H, context: &Context<'_>) -> H::Value {
        self.get(flag, context)
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $default:ty, $value:ty, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            key: &'static str,
            default: $default,
        }

        impl $name {
            /// Declares the flag `key`; `default` is what it answers where there is nothing else to say.
            pub const fn new(key: &'static str, default: $default) -> Self {
                Self { key, default }
            }

            /// Evaluates it, through a client or a view.
            #[inline]
            pub fn get(&self, flags: &impl Evaluate, context: &Context<'_>) -> $value {
                flags.evaluate(self, context)
            }
        }

        impl sealed::Sealed for $name {}

        impl Handle for $name {
            type Value = $value;

            fn key(&self) -> &'static str {
                self.key
            }

            #[inline]
            fn read(&self, reading: Reading<'_>, context: &Context<'_>) -> $value {
                let read: fn(&Self, Reading<'_>, &Context<'_>) -> $value = $read;
                read(self, reading, context)
            }
        }
    };
}

handle!(
    /// A boolean flag.
    ///
    /// ```
    /// use ripcord_sdk::BoolFlag;
    /// const NEW_CHECKOUT: BoolFlag = BoolFlag::new("checkout-v2", false);
    /// ```
    BoolFlag,
    bool,
    bool,
    |flag, reading, context| reading.bool(flag.key, context, flag.default)
);
handle!(
    /// A number flag.
    NumberFlag,
    f64,
    f64,
    |flag, reading, context| reading.number(flag.key, context, flag.default)
);
handle!(
    /// A string flag. [`View::string`] lends the text instead of copying it.
    StringFlag,
    &'static str,
    String,
    |flag, reading, context| reading.string(flag.key, context).unwrap_or(flag.default).to_owned()
);

/// An object flag. It has no default of its own: where there is nothing to say it answers `None`.
#[derive(Debug, Clone, Copy)]
pub struct ObjectFlag {
    key: &'static str,
}

impl ObjectFlag {
    /// Declares the flag `key`.
    pub const fn new(key: &'static str) -> Self {
        Self { key }
    }

    /// Evaluates it, through a client or a view.
    pub fn get(&self, flags: &impl Evaluate, context: &Context<'_>) -> Option<Map<String, Value>> {
        flags.evaluate(self, context)
    }
}

impl sealed::Sealed for ObjectFlag {}

impl Handle for ObjectFlag {
    type Value = Option<Map<String, Value>>;

    fn key(&self) -> &'static str {
        self.key
    }

    fn read(&self, reading: Reading<'_>, context: &Context<'_>) -> Self::Value {
        reading.object(self.key, context).cloned()
    }
}
