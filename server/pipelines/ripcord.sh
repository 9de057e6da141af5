#!/bin/sh
# Flags from a pipeline, in steps: `plan` shows what would change and keeps the plan, `apply` does exactly that or nothing, `rollout`
# starts the rollout of a plan and follows it to its end.
#
#   RIPCORD_SERVER, RIPCORD_KEY   where, and the key (role `pipeline`)
#   RIPCORD_ENV                   the environment; else what the files say, else production
#   RIPCORD_FLAGS                 a flags file or a folder of them; else flags/
#   RIPCORD_OPTIONS               options of both steps, as in: --set payments --prune
#   RIPCORD_PLAN                  where the plan is kept in between; else ripcord-plan.json
#   RIPCORD_WAIT                  how long `apply` waits for every application's confirmation; else 30s
#   RIPCORD_REASON                why, for the log; else the commit that the pipeline runs for
#   RIPCORD_AWAIT_APPROVAL        how long a second person is waited for, where the environment's policy asks for one (1h); else not at all
#   RIPCORD_ROLLOUT               the rollout's plan; else rollout.yaml
#   RIPCORD_TIMEOUT               how long `rollout` waits; else 24h
#   RIPCORD_ON_CANCEL             what becomes of the rollout of a pipeline that is cancelled, hold or rollback; else hold
#
# Ends as `ripcord` does: 0 done, 1 failed, 2 wrong usage, 3 refused by a guard, waiting for a second person, or the
# rollout failed or was taken back, 4 not confirmed, not approved or not over in time.
set -eu

flags=${RIPCORD_FLAGS:-flags/}
options=${RIPCORD_OPTIONS:-}
plan=${RIPCORD_PLAN:-ripcord-plan.json}
commit=${GITHUB_SHA:-${CI_COMMIT_SHA:-}}
reason=${RIPCORD_REASON:-"pipeline${commit:+ of commit $commit}"}

# The options are several words on purpose.
# shellcheck disable=SC2086
case ${1:-} in
plan)
    ripcord lint "$flags"
    ripcord plan -f "$flags" $options
    ripcord plan -f "$flags" $options --json >"$plan"
    ;;
apply)
    hash=$(sed -n 's/^{"hash":"\([0-9a-f]\{64\}\)".*/\1/p' "$plan")
    if [ -z "$hash" ]; then
        echo "$plan holds no plan: run \`$0 plan\` first, and hand the file on to this step." >&2
        exit 2
    fi
    ripcord apply -f "$flags" $options --plan "$hash" --reason "$reason" --wait "${RIPCORD_WAIT:-30s}"
    ;;
rollout)
    started=$(ripcord rollout start -f "${RIPCORD_ROLLOUT:-rollout.yaml}" --reason "$reason" --json) || {
        ended=$?
        printf '%s\n' "$started" >&2
        exit "$ended"
    }
    # Where a second person had to approve it, the answer is the proposal that holds it.
    id=$(printf '%s\n' "$started" | sed -n 's/.*"id":"\(ro_[0-9a-z]*\)".*/\1/p')
    echo "Started rollout $id."
    # In the place of this shell, so that the signal of a cancelled pipeline reaches it.
    exec ripcord rollout wait "$id" --wait "${RIPCORD_TIMEOUT:-24h}" --on-cancel "${RIPCORD_ON_CANCEL:-hold}"
    ;;
*)
    echo "usage: $0 plan|apply|rollout" >&2
    exit 2
    ;;
esac
