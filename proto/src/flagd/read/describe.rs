//! What people wrote about a flag: its description, members that stand for a comment, and the comments of YAML above and beside it.

use serde_json::{Map, Value};

use crate::limits;
use crate::yaml::Comments;

/// Members that stand for a description or a comment; JSON has no other place for one.
const MEMBERS: [&str; 4] = ["description", "$comment", "_comment", "comment"];

/// The comments of a document, and the path of its flags.
pub(super) struct Described<'d> {
    pub(super) comments: &'d Comments,
    pub(super) place: &'d [&'static str],
}

impl Described<'_> {
    /// The description of a flag: each text once, cut where it is too long.
    pub(super) fn describe(&self, name: &str, map: &Map<String, Value>) -> Option<String> {
        let mut texts: Vec<&str> = MEMBERS.iter().filter_map(|member| map.get(*member)?.as_str()).collect();
        let path: Vec<String> = self.place.iter().copied().chain([name]).map(ToOwned::to_owned).collect();
        texts.extend(self.comments.get(&path).map(String::as_str));
        texts.dedup();
        let text = texts.join("\n");
        let kept: String = text.trim().chars().take(limits::TEXT_CHARACTERS).collect();
        (!kept.is_empty()).then_some(kept)
    }
}
