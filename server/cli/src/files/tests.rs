use super::*;

fn flag(key: &str) -> String {
    format!("flags:\n  {key}: {{variants: {{on: true, off: false}}, default: off, safe: off}}\n")
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn refused(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let failure = Files::read(folder.path()).unwrap_err();
    let text = failure.describe(crate::output::Paint::Plain);
    text.replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn a_folder_is_read_in_order_of_its_paths_without_what_is_hidden() {
    let folder = folder(&[
        ("b.yaml", &flag("b")),
        ("a/z.yml", &flag("z")),
        ("a/.git/c.yaml", "no: yaml file of ours"),
        ("README.md", "no flags file"),
        (".hidden.yaml", "none: either"),
        ("c.json", r#"{"environment": "staging", "set": "shop", "flags": {}}"#),
    ]);
    let files = Files::read(folder.path()).unwrap();
    let keys: Vec<_> = files.whole().flags.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["z", "b"]);
    assert_eq!(files.environment.as_ref().unwrap().as_str(), "staging");
    assert_eq!(files.set(None).unwrap().as_str(), "shop");
    assert!(files.set(Some(&SetName::new("other").unwrap())).is_err());
}

#[test]
fn a_key_in_two_files_is_refused_naming_both() {
    insta::assert_snapshot!(refused(&[("a.yaml", &flag("same")), ("b.yaml", &flag("same"))]), @r"
    error: FOLDER is not valid; nothing was changed
      FOLDER/b.yaml: flags.same: is also in FOLDER/a.yaml; keep one of them
    ");
}

#[test]
fn the_problems_of_all_files_are_told_at_once() {
    let told = refused(&[
        ("a.yaml", "environment: staging\nflags: {}\n"),
        ("b.yaml", "environment: production\nset: x\nflags: {}\n"),
        ("c.yaml", "flags: 7\n"),
        ("d.yaml", "set: y\nflags: {}\n"),
    ]);
    for words in [
        "c.yaml: flags: must be an object",
        "b.yaml: environment: production is not staging, which FOLDER/a.yaml says",
        "d.yaml: set: y is not x, which FOLDER/b.yaml says",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_folder_without_flags_files_is_a_mistake() {
    assert!(refused(&[("README.md", "")]).contains("contains no flags file"));
}

#[test]
fn flags_of_flagd_may_lie_among_the_others() {
    let folder = folder(&[
        ("a.yaml", &flag("a")),
        (
            "flagd/b.json",
            r#"{"flags": {"b": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x", "targeting": {"if": [true, "x"]}}}}"#,
        ),
        (
            "flagd/c.yaml",
            "$schema: https://flagd.dev/schema/v0/flags.json\nflags: {c: {state: DISABLED, variants: {x: 1}}}",
        ),
    ]);
    let whole = Files::read(folder.path()).unwrap().whole();
    let keys: Vec<_> = whole.flags.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}
