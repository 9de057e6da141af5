use super::*;

#[test]
fn a_file_becomes_one_change_that_leaves_what_it_does_not_have() {
    let text = "
segments:
  beta: { attribute: plan, equals: beta }
flags:
  b: { variants: { on: true }, default: on, safe: on }
  a: { variants: { on: true }, default: on, safe: on }
";
    let request = commit_of(FlagsFile::parse(text).unwrap(), Some("a test".to_owned()));
    let [ChangeRequest::ApplySet(set)] = request.changes.as_slice() else {
        panic!("{request:?}");
    };
    assert_eq!((set.set.as_str(), set.flags.len(), set.segments.len()), ("default", 2, 1));
    assert_eq!((set.absent, set.takeover), (OnAbsent::Stay, Takeover::Refuse));
}
