//! Lists: a page at a time.

/// A page of a list.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// The value of `?after=` for the next page; `null` on the last page.
    pub next: Option<String>,
    /// Whether the store could not be reached when this was read.
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
