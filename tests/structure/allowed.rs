//! What the tests of the structure tolerate. Lists here only shrink.

/// Pairs of files that import each other.
pub const CIRCLES: &[&str] = &[
    "benches/benches/commit: lib <-> over_redis",
    "benches/benches/gates: lib <-> means",
    "benches/benches/peers: lib <-> datalogic",
    "benches/benches/peers: lib <-> eppo",
    "benches/benches/peers: lib <-> launchdarkly",
    "benches/benches/peers: lib <-> yggdrasil",
    "proto/src: condition <-> condition/read",
    "proto/src: flag <-> flag/read",
    "proto/src: gate <-> gate/comparison",
    "proto/src: key <-> target",
    "proto/src: policy <-> trigger",
    "proto/src: proposal <-> record",
    "proto/src: rest/log <-> rest/plan",
    "proto/src: rest/plan <-> rest/rollbacks/plan",
    "proto/src: rollback <-> rollout",
    "proto/src: rollout/plan <-> rollout/plan/read",
    "proto/src: rule <-> split",
    "proto/src: scenario <-> scenario/fault",
    "server/cli/src: doctor <-> doctor/checks",
    "server/cli/src: drill/verdicts <-> drill/verdicts/faults",
    "server/cli/src: export <-> export/folder",
    "server/cli/src: lib <-> context",
    "server/src: access <-> access/evaluator",
    "server/src: audit <-> audit/change_history",
    "server/src: audit <-> audit/verify",
    "server/src: commit <-> commit/approval",
    "server/src: commit <-> commit/approval/approval_scope",
    "server/src: commit <-> commit/error",
    "server/src: commit <-> commit/plan",
    "server/src: commit <-> commit/protect",
    "server/src: commit <-> commit/state",
    "server/src: commit <-> commit/traits",
    "server/src: commit <-> commit/validate",
    "server/src: commit/approval <-> commit/approval/approval_scope",
    "server/src: commit/approval <-> commit/approval/difference",
    "server/src: commit/reversal <-> commit/reversal/one_way",
    "server/src: commit/reversal <-> commit/reversal/staged",
    "server/src: commit/reversal/one_way <-> commit/reversal/staged",
    "server/src: commit/state <-> commit/validate",
    "server/src: environment <-> environment/feed",
    "server/src: environment <-> environment/orphans",
    "server/src: kill <-> kill/merge",
    "server/src: kill <-> peer",
    "server/src: proposal <-> proposal/messages",
    "server/src: rollback/controller <-> rollback/controller/state_machine",
    "server/src: rollback/controller/state_machine <-> rollback/controller/verification",
    "server/src: rollback/messages <-> rollback/stages",
    "server/src: rollback/prepare <-> rollback/scope",
    "server/src: rollout <-> rollout/controller",
    "server/src: rollout/controller <-> rollout/controller/commit_results",
    "server/src: rollout/controller <-> rollout/controller/gate_reader",
    "server/src: trigger <-> trigger/gate",
    "server/src: trigger/action/rollback <-> trigger/dry_run",
    "server/src: trigger/signal <-> trigger/signal/alertmanager",
    "server/src: trigger/signal <-> trigger/signal/json",
    "server/src: trigger/signal <-> trigger/signal/pagerduty",
    "tests/openfeature: lib <-> answers",
    "tests/openfeature: lib <-> bad_input",
    "tests/openfeature: lib <-> clients",
    "tests/openfeature: lib <-> independent",
    "tests/openfeature: lib <-> listeners",
    "tests/openfeature: lib <-> sync",
    "tests/openfeature: lib <-> traces",
];

/// Imports that go up, or reach for a leaf.
pub const UPWARD: &[&str] = &["peer -> kill"];

/// Type names that the server defines more than once, each with its reason.
pub const TYPES: &[(&str, &str)] = &[("Inner", "what a cheap handle shares; private")];

/// Files that documents name before they are written.
pub const PATHS: &[&str] = &[
    "server/docs/SUMMARY.md: metrics.md",
    "server/docs/SUMMARY.md: cli.md",
    "server/docs/SUMMARY.md: problems.md",
    "server/docs/README.md: metrics.md",
    "server/docs/README.md: cli.md",
    "server/docs/README.md: problems.md",
    "server/docs/api.md: problems.md",
    "server/docs/operations.md: cli.md",
    "server/docs/operations.md: metrics.md",
    "README.md: server/docs/metrics.md",
    "README.md: server/docs/cli.md",
    "README.md: server/docs/problems.md",
];

/// Files with too many lines.
pub const LONG: &[&str] = &[
    "proto/src: frame",
    "server/cli/src: client",
    "server/src: commit/validate",
    "server/src: rollout/controller/commit_results",
];
