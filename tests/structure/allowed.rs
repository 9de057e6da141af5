//! What the tests of the structure tolerate. Lists here only shrink.

/// Pairs of files that import each other.
pub const CIRCLES: &[&str] = &[
    // On their way in: the rollout controller after its split, and the commands with a configuration file.
    "server/src: rollout <-> rollout/controller <-> rollout/controller/state <-> rollout/controller/tracked <-> rollout/gate/comparison <-> rollout/gate/prometheus <-> rollout/gate/watch",
    "server/cli/src: client <-> config <-> exit <-> output <-> target",
    "server/cli/src: lib <-> apply <-> audit <-> backup <-> changes <-> checkpoint <-> checkpoint/text <-> client <-> completions <-> confirm <-> context <-> demo <-> demo/view <-> doctor <-> doctor/checks <-> drill <-> drill/actors <-> drill/applications <-> drill/applications/straggler <-> drill/builtin <-> drill/editors <-> drill/fork <-> drill/harness <-> drill/harness/common <-> drill/harness/node <-> drill/harness/process <-> drill/harness/proxy <-> drill/harness/redis <-> drill/junit <-> drill/observations <-> drill/probe <-> drill/progress <-> drill/release <-> drill/report <-> drill/runner <-> drill/verdicts <-> drill/verdicts/faults <-> env <-> env/policy <-> environment_state <-> exit <-> export <-> export/folder <-> files <-> flags <-> flags/explain <-> flags/list <-> flags/set <-> flags/stale <-> flags/usages <-> gate <-> import <-> input <-> keys <-> kill <-> lint <-> output <-> ping <-> plan <-> promote <-> proposal <-> proposal/messages <-> proposal/wait <-> release <-> release/details <-> release/text <-> restore <-> rollback <-> rollback/args <-> rollback/execute <-> rollback/follow <-> rollback/manage <-> rollback/plan <-> rollout <-> rollout/actions <-> rollout/follow <-> rollout/messages <-> rollout/start <-> schema <-> segments <-> server <-> signals <-> snapshot <-> source <-> target <-> trigger <-> trigger/confirm <-> trigger/create <-> trigger/messages <-> watch <-> watch/report <-> write",
    "server/src: audit <-> audit/change_history <-> audit/verify",
    "server/src: commit/reversal <-> commit/reversal/one_way <-> commit/reversal/staged",
    "server/src: proposal <-> proposal/messages",
    "server/src: rollback/bad_exposure <-> rollback/controller <-> rollback/controller/state_machine <-> rollback/controller/verification <-> rollback/messages <-> rollback/stages",
    "server/src: rollback/prepare <-> rollback/scope",
    "server/src: rollout <-> rollout/controller <-> rollout/controller/commit_results <-> rollout/controller/gate_reader <-> rollout/controller/tracked <-> rollout/gate/comparison <-> rollout/gate/prometheus <-> rollout/gate/watch",
    "server/src: trigger <-> trigger/gate",
    "server/src: trigger/action/rollback <-> trigger/dry_run",
    "server/src: trigger/signal <-> trigger/signal/alertmanager <-> trigger/signal/json <-> trigger/signal/pagerduty",
];

/// Imports that go up, or reach for a leaf.
pub const UPWARD: &[&str] = &[];

/// Type names that the server defines more than once, each with its reason.
pub const TYPES: &[(&str, &str)] = &[("Inner", "what a cheap handle shares; private")];

/// Files that documents name before they are written.
pub const PATHS: &[&str] = &[
    "server/docs/SUMMARY.md: cli.md",
    "server/docs/SUMMARY.md: problems.md",
    "server/docs/README.md: cli.md",
    "server/docs/README.md: problems.md",
    "server/docs/api.md: problems.md",
    "server/docs/operations.md: cli.md",
    "README.md: server/docs/cli.md",
    "README.md: server/docs/problems.md",
];

/// Files with too many lines.
pub const LONG: &[&str] = &[
    "proto/src: frame",
    "server/cli/src: client",
    "server/src: api/services",
    "server/src: commit/validate",
];
