use ripcord_proto::{FlagKey, SegmentKey};

use super::*;

#[test]
fn a_file_becomes_one_list_of_changes_with_deletions_at_its_end() {
    let file = FlagsFile::parse(
        "
segments:
  beta: { attribute: plan, equals: beta }
flags:
  b: { variants: { on: true }, default: on, safe: on }
  a: { variants: { on: true }, default: on, safe: on }
",
    )
    .unwrap();
    let gone = vec![
        ChangeRequest::DeleteFlag(FlagKey::new("old").unwrap()),
        ChangeRequest::DeleteSegment(SegmentKey::new("old").unwrap()),
    ];
    let names: Vec<_> = changes_of(file, gone)
        .iter()
        .map(|change| match change {
            ChangeRequest::PutSegment { key, .. } => format!("put segment {key}"),
            ChangeRequest::PutFlag { key, .. } => format!("put flag {key}"),
            ChangeRequest::DeleteFlag(key) => format!("delete flag {key}"),
            ChangeRequest::DeleteSegment(key) => format!("delete segment {key}"),
            other @ (ChangeRequest::SetEnabled { .. } | ChangeRequest::Kill { .. } | ChangeRequest::Restore(_) | ChangeRequest::PutSettings(_)) => {
                format!("{other:?}")
            }
        })
        .collect();
    assert_eq!(names, ["put segment beta", "put flag b", "put flag a", "delete flag old", "delete segment old"]);
}
