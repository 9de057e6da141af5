use ripcord_proto::ValidationError;

use super::*;
use crate::caller::{Caller, From};

fn problem(code: Code) -> Problem {
    Problem::new(code, "What happened.")
}

fn failed(problem: Problem) -> Failure {
    let text = serde_json::to_string(&problem).unwrap();
    let caller = Caller {
        key: Some("rc_viewer_4fK2…".to_owned()),
        key_from: From::Variable("RIPCORD_KEY"),
        actor: Some("ada".to_owned()),
    };
    Failure::Client(ClientError::Problem(Box::new(RefusedCall { problem, text, caller })))
}

#[test]
fn guards_and_gates_have_an_exit_code_of_their_own() {
    for code in Code::ALL {
        let guards = [
            Code::FlagKilled,
            Code::PlanStale,
            Code::ProposalStale,
            Code::SecondPersonNeeded,
            Code::OtherOwner,
            Code::StaleRevision,
            Code::Forbidden,
            Code::ReleaseFinished,
            Code::NoKnownGood,
            Code::OneWayDoor,
            Code::CheckFailed,
            Code::RollbackUnderWay,
            Code::WrongState,
            Code::Protected,
            Code::CannotExpress,
            Code::EmptyScope,
        ];
        let expected = if guards.contains(code) { 3 } else { 1 };
        assert_eq!(failed(problem(*code)).exit().code(), expected, "{}", code.as_str());
    }
    assert_eq!(Failure::Usage(String::new()).exit().code(), 2);
    assert_eq!(Failure::Local(String::new()).exit().code(), 1);
    assert_eq!(Exit::Unconfirmed.code(), 4);
}

#[test]
fn a_problem_is_told_with_each_field_and_the_next_step() {
    let faults = [
        ValidationError::new("changes[0].put_flag.flag.safe", "is missing"),
        ValidationError::new(
            "changes[3].put_flag.flag.default",
            "\"blue\" is not a variant of this flag; it has \"on\", \"off\"",
        ),
    ];
    insta::assert_snapshot!(failed(problem(Code::Invalid).with_errors(faults)).describe(Paint::Plain), @r#"
    error: The request is invalid (INVALID)
      Nothing was changed.
      changes[0].put_flag.flag.safe: is missing
      changes[3].put_flag.flag.default: "blue" is not a variant of this flag; it has "on", "off"
    "#);
    insta::assert_snapshot!(failed(problem(Code::Unauthenticated)).describe(Paint::Plain), @r"
    error: A valid key is required (UNAUTHENTICATED)
      What happened.
      Set RIPCORD_KEY or pass --key. An admin creates a key with `ripcord keys create NAME --role ROLE`; a server prints its first admin key once.
    ");
}

#[test]
fn a_server_that_is_not_there_is_told_with_how_to_start_one() {
    let failure = Failure::Client(ClientError::Unreachable {
        address: "http://127.0.0.1:8016".to_owned(),
        why: "Connection refused".to_owned(),
        advice: "Start a server with `ripcord serve`.".to_owned(),
    });
    assert_eq!(failure.exit(), Exit::Failed);
    insta::assert_snapshot!(failure.describe(Paint::Plain), @r"
    error: cannot reach http://127.0.0.1:8016: Connection refused
      Start a server with `ripcord serve`.
    ");
}

#[test]
fn a_file_that_is_not_valid_is_told_fault_by_fault_with_its_name() {
    let faults = ValidationErrors::check(
        vec![
            ValidationError::new("flags.a.safe", "is missing"),
            ValidationError::new("flags.b.rules[0].serve", "is missing"),
        ],
        (),
    )
    .unwrap_err();
    let failure = Failure::File {
        file: "flags.yaml".to_owned(),
        faults,
    };
    assert_eq!(failure.exit(), Exit::Failed);
    insta::assert_snapshot!(failure.describe(Paint::Plain), @r"
    error: flags.yaml is not valid; nothing was changed
      flags.yaml: flags.a.safe: is missing
      flags.yaml: flags.b.rules[0].serve: is missing
    ");
    insta::assert_snapshot!(failure.json(), @r#"{"title":"flags.yaml is not valid; nothing was changed","file":"flags.yaml","errors":[{"path":"flags.a.safe","problem":"is missing"},{"path":"flags.b.rules[0].serve","problem":"is missing"}]}"#);
}

#[test]
fn with_json_a_problem_is_the_document_as_it_came() {
    let failure = failed(problem(Code::FlagKilled));
    let Failure::Client(ClientError::Problem(refusal)) = &failure else {
        unreachable!()
    };
    assert_eq!(failure.json(), refusal.text);
}

#[test]
fn a_key_that_may_not_is_named_with_where_it_is_from() {
    let refused = problem(Code::Forbidden)
        .with("key_name", "dashboards")
        .with("role", "viewer")
        .with("roles", vec!["oncall", "admin"]);
    insta::assert_snapshot!(failed(refused).describe(Paint::Plain), @r#"
    error: your key "dashboards" (role viewer, from RIPCORD_KEY) may not do this (FORBIDDEN)
      Roles that may: oncall, admin.
    "#);
    let rejected = failed(problem(Code::Unauthenticated).with("key", "unknown")).describe(Paint::Plain);
    assert!(
        rejected.starts_with("error: the server rejected the key from RIPCORD_KEY (rc_viewer_4fK2…) (UNAUTHENTICATED)\n"),
        "{rejected}"
    );
    let missing = failed(problem(Code::Unauthenticated).with("key", "missing")).describe(Paint::Plain);
    assert!(missing.starts_with("error: no key was given (UNAUTHENTICATED)\n"), "{missing}");
}

#[test]
fn ones_own_proposal_is_for_somebody_else() {
    let own = failed(problem(Code::Forbidden).with("proposed_by", "ada (via editor key)")).describe(Paint::Plain);
    assert!(
        own.starts_with("error: you (ada) proposed this; a different person has to approve it (FORBIDDEN)\n"),
        "{own}"
    );
}
