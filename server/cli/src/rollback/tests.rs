use clap::Parser as _;
use ripcord_proto::rest::rollbacks::RollbackPlan;
use serde_json::json;

use super::{RollbackCommand, args, execute, plan};
use crate::output::Paint;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    command: RollbackCommand,
}

fn parsed(line: &str) -> Result<RollbackCommand, clap::Error> {
    Line::try_parse_from(line.split(' ')).map(|line| line.command)
}

const HASH: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn plan_of(more: &serde_json::Value) -> RollbackPlan {
    let mut value = json!({
        "hash": HASH, "target": {"epoch": 1, "revision": 41, "hash": HASH, "checkpoint": "quiet"}, "scope": "environment", "epoch": 1, "revision": 57,
        "flags": [{"key": "checkout-v2", "from": null, "to": null, "now": "on 60%, off 40%", "then": "on 0%, off 100%", "differs": [], "users": {"changed": 6012, "share": 0.6012}}],
        "segments": [], "conflicts": [], "kills": [], "one_way": [], "breaks": [], "cannot": [], "rollouts": [],
        "users": {"source": "synthetic", "contexts": 10000, "changed": 6012, "share": 0.6012}, "warnings": []
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_plan_shows_each_flag_now_and_then_and_ends_with_the_command() {
    let text = plan::describe(&plan_of(&json!({})), "production", "ripcord rollback --to quiet --plan 1111", Paint::Plain);
    insta::assert_snapshot!(text, @r"
    Back to quiet (1:41), everything in production: 1 flag would change.

      flag         users   now              then             last change
      checkout-v2  60.1 %  on 60%, off 40%  on 0%, off 100%

    60.1 % of 10,000 simulated users would get a different variant of at least one flag.

    To do exactly this:
      ripcord rollback --to quiet --plan 1111
    ");
}

#[test]
fn what_stands_in_the_way_is_said_before_the_command() {
    let more = json!({
        "conflicts": [{"flag": "search", "why": "changed by others since"}],
        "kills": [{"flag": "checkout-v2", "kills": ["k_01jd3x7q8v9w0y2z4a6b8c0d2e"], "needs_allow_killed_edit": true}],
        "one_way": [{"flag": "checkout-v2", "from": "on", "reason": "new format", "data_checkpoint": "backup job 118", "acknowledged": false}],
        "cannot": [{"flag": "cart", "why": "it was deleted since"}],
        "steps": {"every_seconds": 120, "steps": [{"percent": 50.0, "after_seconds": 0, "flags": 1}, {"percent": null, "after_seconds": 120, "flags": 0}], "whole": [], "last": ["banner"]}
    });
    let text = plan::describe(&plan_of(&more), "production", "never shown", Paint::Plain);
    insta::assert_snapshot!(text, @r"
    Back to quiet (1:41), everything in production: 1 flag would change.

      flag         users   now              then             last change
      checkout-v2  60.1 %  on 60%, off 40%  on 0%, off 100%

      after    exposed       changes
      at once  at most 50 %  1 flag
      2 min    the target    0 flags
    Rolled back at the last step: banner

    Kept as they are, because others changed them:
      what    why                      last change
      search  changed by others since
    To roll these back too, add --include-conflicts (flags) or --with-segments (segments).
    ! checkout-v2 stays killed by k_01jd3x7q8v9w0y2z4a6b8c0d2e; the variant that it serves while killed would change, which needs --allow-killed-edit
    ✗ one-way door: checkout-v2 serves on: new format (data: backup job 118)
    ✗ rules cannot express the target for cart: it was deleted since

    60.1 % of 10,000 simulated users would get a different variant of at least one flag.

    This rollback would be refused: rules cannot express it.
    ");
}

#[test]
fn the_command_says_what_the_plan_showed_that_has_to_be_said() {
    let command = parsed("rollback plan --to quiet --flag a,b --steps 50,12.5 --every 1m --reason it's --include-conflicts").unwrap();
    let Some(super::Action::Plan(command)) = command.action else {
        panic!("{command:?}")
    };
    let shown = plan_of(&json!({
        "one_way": [{"flag": "b", "from": "on", "reason": "r", "acknowledged": false}],
        "kills": [{"flag": "a", "kills": ["k_01jd3x7q8v9w0y2z4a6b8c0d2e"], "needs_allow_killed_edit": true}]
    }));
    assert_eq!(
        command.args().arguments(&shown),
        format!(
            "rollback --to quiet --flag a,b --steps 50,12.5 --every 60s --acknowledge-one-way b --reason 'it'\\''s' --plan {HASH} --include-conflicts --allow-killed-edit"
        )
    );
}

#[test]
fn a_rollback_needs_a_target_or_a_release_and_one_scope() {
    assert!(parsed("rollback --to last-known-good --wait 30").is_ok());
    assert!(parsed("rollback --release web-1 --plan 1111111111111111111111111111111111111111111111111111111111111111").is_ok());
    for wrong in [
        "rollback",
        "rollback --flag a",
        "rollback --to 41 --flag a --tag b",
        "rollback --to 41 --every 2m",
        "rollback --to 41 --segment eu --steps 50",
    ] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    let falling = |steps: &str| {
        let command = parsed(&format!("rollback plan --to 41 --steps {steps}")).unwrap();
        let Some(super::Action::Plan(command)) = command.action else {
            panic!("{command:?}")
        };
        args::RollbackArgs::check(command.args()).is_ok()
    };
    assert!(falling("50,25,0") && !falling("25,50"));
}

#[test]
fn what_was_left_as_it_is_is_named() {
    let record = json!({
        "id": "rb_01jd3x7q8v9w0y2z4a6b8c0d2e", "scope": "environment", "target": {"epoch": 1, "revision": 41, "hash": HASH}, "plan": HASH, "state": "committed",
        "message": "", "by": {"name": "ada", "role": "oncall"}, "before": "1:57", "revision": 58, "epoch": 1, "flags": ["a", "b"], "skipped": ["search"],
        "phases": {}, "review": {"due": "2026-11-27T14:00:00Z"}
    });
    let rollback = serde_json::from_value(record).unwrap();
    assert_eq!(execute::left(&rollback).unwrap(), "Kept as they are, because others changed them: search.");
}

#[test]
fn a_plan_without_a_change_offers_no_command() {
    let text = plan::describe(&plan_of(&json!({"flags": [], "flags_in_scope": 6})), "production", "never shown", Paint::Plain);
    insta::assert_snapshot!(text, @"Nothing to roll back in production: 6 flags in the scope already match quiet (1:41).");
}
