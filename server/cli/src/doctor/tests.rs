use super::*;

#[test]
fn findings_are_told_with_what_to_do_and_a_verdict() {
    let findings = [
        Finding::well("address", "http://127.0.0.1:8016 (from the default)"),
        Finding::warning("clock", "this machine is 9 s ahead of the server", "Let both follow a time server."),
        Finding::wrong("key", "no key was given", Some("Give a key with --key.\nAn admin makes one.".to_owned())),
    ];
    insta::assert_snapshot!(describe(&findings, Paint::Plain), @r"
    ok     address  http://127.0.0.1:8016 (from the default)
    look   clock    this machine is 9 s ahead of the server
                    Let both follow a time server.
    WRONG  key      no key was given
                    Give a key with --key.
                    An admin makes one.

    1 thing is wrong.
    ");
    assert!(describe(&findings[..2], Paint::Plain).ends_with("It works; 1 thing to look at."));
    assert!(describe(&findings[..1], Paint::Plain).ends_with("All is well."));
}
