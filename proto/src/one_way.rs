//! One-way doors: changes of a flag that a rollback cannot undo.

use serde_json::Value;

use crate::key::VariantName;
use crate::reader::{Read, Reader};
use crate::variant::VariantNames;

/// A one-way door: once `from` was served, rolling it back may not undo its effects. A rollback that takes the variant
/// from any user is refused unless it acknowledges the flag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OneWay {
    /// The variant that a rollback cannot simply undo.
    pub from: VariantName,
    /// The reason, for the person who has to decide: `orders are written in the new format`.
    pub reason: String,
    /// The backup from which the data could be restored: `backup job 118`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_checkpoint: Option<String>,
}

impl OneWay {
    pub(crate) fn read(reader: &mut Reader, value: &Value, names: VariantNames<'_>) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a one-way door", &["from", "reason", "data_checkpoint"], &[]);
        let from = reader.required(map, "from", "the name of a variant of this flag", |reader, value| names.read(reader, value));
        let reason = reader.required(map, "reason", "a text that says what cannot be undone", Reader::prose);
        let data_checkpoint = reader.optional(map, "data_checkpoint", Reader::prose);
        Ok(Self {
            from: from?,
            reason: reason?,
            data_checkpoint,
        })
    }
}
