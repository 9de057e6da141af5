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

#[test]
fn an_apply_that_keeps_an_edit_does_not_say_that_the_files_are_in_force() {
    let source = FlagsSource::of(
        "flags.yaml".to_owned(),
        EnvironmentKey::new("production").unwrap(),
        FlagsFile::default(),
        Takeover::Refuse,
    );
    let unchanged = serde_json::json!({"epoch": 1, "revision": 7, "changed": false, "flags": []});
    let unchanged: WriteResponse = serde_json::from_value(unchanged).unwrap();
    insta::assert_snapshot!(
        describe(&unchanged, &source, "http://127.0.0.1:8016"),
        @"Nothing changed: flags.yaml has no change for the flags and segments of production."
    );
}
