use super::*;

#[test]
fn findings_are_told_with_what_to_do_and_a_verdict() {
    let findings = [
        Finding::well("address", "http://127.0.0.1:8016 (from the default)"),
        Finding::warning("clock", "this machine is 9 s ahead of the server", "Synchronize both clocks (NTP)."),
        Finding::wrong("key", "no key was given", Some("Give a key with --key.\nAn admin makes one.".to_owned())),
    ];
    insta::assert_snapshot!(describe(&findings, Paint::Plain), @r"
    ok     address  http://127.0.0.1:8016 (from the default)
    warn   clock    this machine is 9 s ahead of the server
                    Synchronize both clocks (NTP).
    FAIL   key      no key was given
                    Give a key with --key.
                    An admin makes one.

    1 problem found.
    ");
    assert!(describe(&findings[..2], Paint::Plain).ends_with("OK, with 1 warning."));
    assert!(describe(&findings[..1], Paint::Plain).ends_with("OK: no problems found."));
}
