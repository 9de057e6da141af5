//! Lists: a page at a time.

/// A page of a list.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// What to give as `?after=` for the next page; `null` = this was the last.
    pub next: Option<String>,
    /// Whether it was read while the store could not be reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

impl<T> Page<T> {
    /// A list that fits on one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next: None,
            stale: false,
        }
    }
}
