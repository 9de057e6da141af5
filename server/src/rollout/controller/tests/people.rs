//! What people do: hold, let go, approve, edit, kill.

use ripcord_proto::KillId;
use ripcord_proto::kill::{Kill, KillScope};
use ripcord_proto::rollout::WaitsFor;

use super::*;
use crate::rollout::messages;

fn anna() -> Author {
    author("anna", Role::Editor)
}

#[tokio::test(start_paused = true)]
async fn what_had_run_of_a_hold_when_it_was_paused_is_not_run_again() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["10% for 1m", "50% for 1m"], &json!({})).await;
    world.until_step(&id, 1).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    world.act(&id, RolloutAction::Pause, author("otto", Role::Oncall)).await.unwrap();
    assert_eq!(
        world.rollout(&id).reason,
        format!("otto paused it. Continue: `ripcord rollout resume {id}`; roll back: `ripcord rollout rollback {id}`")
    );
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(world.rollout(&id).step, 1);
    assert!(world.act(&id, RolloutAction::Pause, anna()).await.is_err(), "it is already paused");
    world.act(&id, RolloutAction::Resume, anna()).await.unwrap();
    world.until_step(&id, 2).await;
    assert!((1_060..1_062).contains(&world.second()), "{}", world.second());
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_its_approval_and_the_starter_gives_it_only_where_the_policy_lets_him() {
    let world = RolloutWorld::new().await;
    world
        .policy(Policy {
            approve_own: Some(false),
            ..Policy::default()
        })
        .await;
    let id = world.start(&["10% for 1m", "50% for 1m by oncall"], &json!({})).await;
    let waiting = world.until(&id, RolloutState::Waiting).await;
    assert_eq!(waiting.waits_for, Some(WaitsFor::Approval));
    let refused = world.act(&id, RolloutAction::Approve, author("pipeline", Role::Oncall)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("rollout {id} is waiting: the environment's policy requires approval by a key other than the one that started the rollout")
    );
    let refused = world.act(&id, RolloutAction::Approve, author("otto", Role::Pipeline)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("rollout {id} is waiting: the step needs approval by a higher role than your key has")
    );
    world.act(&id, RolloutAction::Approve, author("otto", Role::Oncall)).await.unwrap();
    let rollout = world.until_step(&id, 2).await;
    assert_eq!(rollout.approvals[0].word.by.name, "otto");
    assert!(world.act(&id, RolloutAction::Approve, anna()).await.is_err(), "nothing is left to approve");
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_the_split_ends_it_and_names_who_made_it() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["10% for 1m", "50% for 1m"], &json!({})).await;
    world.until_step(&id, 1).await;
    let edited = json!([{"id": "rollout", "serve": {"split": [{"variant": "on", "weight": "3%"}, {"variant": "off", "weight": "97%"}]}}]);
    world.put("checkout", &edited).await;
    let rollout = world.until(&id, RolloutState::Aborted).await;
    assert_eq!(
        rollout.reason,
        "rule \"rollout\" was changed by anna: a test. The rollout does not restart automatically"
    );
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!((world.percent("checkout"), world.rollout(&id).state), (3, RolloutState::Aborted));
    let refused = world.act(&id, RolloutAction::Resume, anna()).await.unwrap_err();
    assert_eq!(code(&refused), Code::WrongState, "{refused}");
    let refused = world.act(&id, RolloutAction::Rollback, anna()).await.unwrap_err();
    assert_eq!(code(&refused), Code::WrongState, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_it_and_restoring_does_not_start_it_again() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["10% for 1m", "50% for 1m"], &json!({})).await;
    world.until_step(&id, 1).await;
    let kill = Kill {
        id: KillId::from_parts(1, 1),
        scope: KillScope::Flag(FlagKey::new("checkout").unwrap()),
        reason: Some("5xx spike".to_owned()),
        actor: author("otto", Role::Oncall).actor,
        at: world.clock.now(),
        flags: BTreeSet::new(),
    };
    world
        .submit(author("otto", Role::Oncall), vec![Operation::Kill(Box::new(kill.clone()))])
        .await
        .unwrap();
    let rollout = world.until(&id, RolloutState::Aborted).await;
    assert_eq!(rollout.reason, messages::killed(&kill));
    world.submit(author("otto", Role::Oncall), vec![Operation::Restore(kill.id)]).await.unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!((world.percent("checkout"), world.rollout(&id).step), (10, 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_back_by_hand_and_what_others_changed_meanwhile_stays() {
    let world = RolloutWorld::new().await;
    let id = world.start(&["10% for 1m", "50% for 1h"], &json!({})).await;
    world.until_step(&id, 2).await;
    let mut flag = world.flag("checkout");
    flag.description = Some("new words".to_owned());
    world
        .submit(anna(), vec![Operation::PutFlag(FlagKey::new("checkout").unwrap(), Box::new(flag))])
        .await
        .unwrap();
    assert_eq!(world.rollout(&id).state, RolloutState::Holding, "words are no edit of the split");
    world.act(&id, RolloutAction::Rollback, author("otto", Role::Oncall)).await.unwrap();
    let rollout = world.rollout(&id);
    assert_eq!(rollout.state, RolloutState::RolledBack);
    let state = world.environments.state(&production()).unwrap();
    let rollback = state.records.rollbacks.value(rollout.rollback.unwrap().as_str()).unwrap();
    assert_eq!((&*rollback.by.name, rollback.reason.as_deref()), ("otto", Some("otto rolled it back")));
    assert_eq!(
        (world.flag("checkout").rules, world.flag("checkout").description),
        (vec![], Some("new words".to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn of_rollouts_that_are_over_the_newest_are_kept() {
    let world = RolloutWorld::new().await;
    let first = world.start(&["10% for 1m"], &json!({})).await;
    world.act(&first, RolloutAction::Abort, anna()).await.unwrap();
    let kept = ripcord_proto::limits::ROLLOUTS_KEPT;
    for _ in 0..kept {
        let id = world.start(&["10% for 1m"], &json!({})).await;
        world.act(&id, RolloutAction::Abort, anna()).await.unwrap();
    }
    let last = world.start(&["10% for 1m"], &json!({})).await;
    let state = world.environments.state(&production()).unwrap();
    assert_eq!(state.records.rollouts.iter().count(), kept + 1, "those that are over, and the one that is not");
    assert!(state.records.rollouts.value(first.as_str()).is_none(), "the oldest went first");
    assert_eq!(world.rollout(&last).plan.flag.as_str(), "checkout");
}
