//! The comments of a file.

use std::collections::HashMap;

/// Comments, each by the path of the member that it stands above or beside.
pub(crate) type Comments = HashMap<Vec<String>, String>;
