//! Flags declared once, as constants, with their key, type and default.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::detail::Detail;
use super::evaluator::Evaluator;
use crate::engine::Context;

/// A flag declared with its key, type and default. [`Client::get`](crate::Client::get) and [`View::get`](crate::View::get) evaluate
/// it. Only the types of this crate implement it.
pub trait TypedFlag: sealed::Sealed {
    /// The type of its value.
    type Value;
    /// The flag's key.
    fn key(&self) -> &'static str;
    #[doc(hidden)]
    fn value(&self, evaluator: Evaluator<'_>, context: &Context<'_>) -> Self::Value;
    #[doc(hidden)]
    fn detail(&self, evaluator: Evaluator<'_>, context: &Context<'_>) -> Detail<Self::Value>;
}

mod sealed {
    pub trait Sealed {}
}

/// Each closure gets the flag, the evaluator and the context.
macro_rules! typed_flag {
    ($(#[$doc:meta])* $name:ident $(<$param:ident: $bound:path>)?, $default:ty, $value:ty, $read:expr, $detail:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name $(<$param>)? {
            key: &'static str,
            default: $default,
        }

        impl $(<$param>)? $name $(<$param>)? {
            /// Declares the flag `key`. `default` is served if the flag is unknown, disabled, of a different type, or leaves the value
            /// to the caller, and before there is any data.
            pub const fn new(key: &'static str, default: $default) -> Self {
                Self { key, default }
            }
        }

        impl $(<$param: $bound>)? sealed::Sealed for $name $(<$param>)? {}

        impl $(<$param: $bound>)? TypedFlag for $name $(<$param>)? {
            type Value = $value;

            fn key(&self) -> &'static str {
                self.key
            }

            #[inline]
            fn value(&self, evaluator: Evaluator<'_>, context: &Context<'_>) -> $value {
                let read: fn(&Self, Evaluator<'_>, &Context<'_>) -> $value = $read;
                read(self, evaluator, context)
            }

            fn detail(&self, evaluator: Evaluator<'_>, context: &Context<'_>) -> Detail<$value> {
                let detail: fn(&Self, Evaluator<'_>, &Context<'_>) -> Detail<$value> = $detail;
                detail(self, evaluator, context)
            }
        }
    };
}

typed_flag!(
    /// A boolean flag.
    ///
    /// ```
    /// use ripcord_sdk::testing::TestClient;
    /// use ripcord_sdk::{BoolFlag, Context, TypedFlag};
    ///
    /// const NEW_CHECKOUT: BoolFlag = BoolFlag::new("checkout-v2", false);
    ///
    /// let flags = TestClient::new();
    /// flags.set_bool(NEW_CHECKOUT.key(), true)?;
    /// assert!(flags.client().get(&NEW_CHECKOUT, &Context::new("user-42")));
    /// # Ok::<(), ripcord_sdk::testing::TestError>(())
    /// ```
    BoolFlag,
    bool,
    bool,
    |flag, evaluator, context| evaluator.bool(flag.key, context, flag.default),
    |flag, evaluator, context| evaluator.bool_detail(flag.key, context, flag.default)
);
typed_flag!(
    /// A number flag, read as a float.
    NumberFlag,
    f64,
    f64,
    |flag, evaluator, context| evaluator.number(flag.key, context, flag.default),
    |flag, evaluator, context| evaluator.number_detail(flag.key, context, flag.default)
);
typed_flag!(
    /// A number flag, read as an integer. A number with a fraction is a type mismatch, which gives the default.
    IntegerFlag,
    i64,
    i64,
    |flag, evaluator, context| evaluator.integer(flag.key, context, flag.default),
    |flag, evaluator, context| evaluator.integer_detail(flag.key, context, flag.default)
);
typed_flag!(
    /// A string flag. [`View::string`](crate::View::string) lends the string instead of copying it.
    StringFlag,
    &'static str,
    String,
    |flag, evaluator, context| evaluator.string(flag.key, context).unwrap_or(flag.default).to_owned(),
    |flag, evaluator, context| evaluator.string_detail(flag.key, context, flag.default)
);
typed_flag!(
    /// An object flag. The default is a function, such as `serde_json::Map::new`.
    ObjectFlag,
    fn() -> Map<String, Value>,
    Map<String, Value>,
    |flag, evaluator, context| evaluator.object(flag.key, context).cloned().unwrap_or_else(flag.default),
    |flag, evaluator, context| evaluator.object_detail(flag.key, context, flag.default)
);
typed_flag!(
    /// An object flag, deserialized. An object that does not fit `T` is a type mismatch, which gives the default. The default is a
    /// function. Each evaluation deserializes, so keep the result for the length of a request.
    ///
    /// ```
    /// use ripcord_sdk::testing::TestClient;
    /// use ripcord_sdk::{Context, JsonFlag};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Limits {
    ///     per_minute: u32,
    /// }
    ///
    /// const LIMITS: JsonFlag<Limits> = JsonFlag::new("limits", || Limits { per_minute: 60 });
    ///
    /// let flags = TestClient::new();
    /// assert_eq!(flags.client().get(&LIMITS, &Context::new("user-42")).per_minute, 60);
    /// flags.put("limits", &serde_json::json!({
    ///     "variants": {"generous": {"per_minute": 600}}, "default": "generous", "safe": null,
    /// }))?;
    /// assert_eq!(flags.client().get(&LIMITS, &Context::new("user-42")).per_minute, 600);
    /// # Ok::<(), ripcord_sdk::testing::TestError>(())
    /// ```
    JsonFlag<T: DeserializeOwned>,
    fn() -> T,
    T,
    |flag, evaluator, context| evaluator.json(flag.key, context, flag.default),
    |flag, evaluator, context| evaluator.json_detail(flag.key, context, flag.default)
);
