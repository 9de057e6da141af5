use super::*;

fn drill(figures: &[(&str, f64)], passed: bool) -> DrillRequest {
    DrillRequest {
        scenario: "happy-path".to_owned(),
        store: DrillStore::Embedded,
        fork: "production at 1:41".to_owned(),
        applications: 5,
        verdicts: vec![
            DrillVerdict {
                check: String::new(),
                name: "no view was torn".to_owned(),
                passed: true,
                detail: "512 views".to_owned(),
            },
            DrillVerdict {
                check: String::new(),
                name: "every application is back at known-good".to_owned(),
                passed,
                detail: "5 of 5".to_owned(),
            },
        ],
        figures: figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
    }
}

#[test]
fn a_report_has_a_mark_for_each_verdict_and_says_what_it_came_to() {
    let passed = Report::from(&drill(&[], true)).describe(None, Paint::Plain);
    assert!(passed.contains("  ✓ no view was torn: 512 views"), "{passed}");
    assert!(
        passed.ends_with("Passed: happy-path, embedded store, on production at 1:41. 2 checks, all passed."),
        "{passed}"
    );
    let failed = Report::from(&drill(&[], false)).describe(None, Paint::Plain);
    assert!(failed.contains("  ✗ every application is back at known-good"), "{failed}");
    assert!(failed.ends_with("1 of 2 checks failed."), "{failed}");
}

#[test]
fn figures_are_told_as_faster_slower_or_the_same() {
    assert_eq!(compared(10.0, 20.0, Paint::Plain), "10 ms faster");
    assert_eq!(compared(25.0, 20.0, Paint::Plain), "5.0 ms slower");
    assert_eq!(compared(20.4, 20.0, Paint::Plain), "the same");
    assert_eq!(compared(105.0, 100.0, Paint::Plain), "the same");
}

#[test]
fn a_first_run_says_that_there_is_nothing_to_compare_with() {
    let text = Report::from(&drill(&[("back_ms", 12.0)], true)).describe(None, Paint::Plain);
    assert!(text.contains("no earlier run"), "{text}");
    assert!(text.contains("decision to every application back, as measured"), "{text}");
}
