#!/bin/sh
# Flags from a pipeline, in steps: `plan` shows what would change and saves the plan, `apply` applies exactly that plan or nothing,
# `rollout` starts a rollout and follows it until it ends.
#
#   RIPCORD_SERVER, RIPCORD_KEY   the server's address, and a key of role `pipeline`
#   RIPCORD_ENV                   the environment; defaults to the one in the files, then to production
#   RIPCORD_FLAGS                 a flags file or a folder of them; defaults to flags/
#   RIPCORD_OPTIONS               options for `plan` and `apply`, such as --set payments --prune
#   RIPCORD_PLAN                  where the plan is saved; defaults to ripcord-plan.json
#   RIPCORD_WAIT                  how long `apply` waits for every application's confirmation; defaults to 30s
#   RIPCORD_REASON                the reason, recorded in the audit log; defaults to the commit of the pipeline
#   RIPCORD_AWAIT_APPROVAL        how long to wait for a second person if the policy requires one, such as 1h; without it, do not wait
#   RIPCORD_ROLLOUT               the rollout's plan; defaults to rollout.yaml
#   RIPCORD_TIMEOUT               how long `rollout` waits; defaults to 24h
#   RIPCORD_ON_CANCEL             what to do with the rollout if the pipeline is cancelled, hold or rollback; defaults to hold
#
# Exit codes are those of `ripcord`: 0 done, 1 failed, 2 wrong usage, 3 refused, waiting for a second person, or the rollout failed
# or was rolled back, 4 not confirmed, not approved or not finished in time.
set -eu

flags=${RIPCORD_FLAGS:-flags/}
options=${RIPCORD_OPTIONS:-}
plan=${RIPCORD_PLAN:-ripcord-plan.json}
commit=${GITHUB_SHA:-${CI_COMMIT_SHA:-}}
reason=${RIPCORD_REASON:-"pipeline${commit:+ of commit $commit}"}

# RIPCORD_OPTIONS is split into words on purpose.
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
        echo "$plan does not contain a plan. Run \`$0 plan\` first and pass the file to this step." >&2
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
    # If a second person had to approve it, the response is the proposal with the rollout.
    id=$(printf '%s\n' "$started" | sed -n 's/.*"id":"\(ro_[0-9a-z]*\)".*/\1/p')
    echo "Started rollout $id."
    # Replaces this shell, so that it receives the signal of a cancelled pipeline.
    exec ripcord rollout wait "$id" --wait "${RIPCORD_TIMEOUT:-24h}" --on-cancel "${RIPCORD_ON_CANCEL:-hold}"
    ;;
*)
    echo "usage: $0 plan|apply|rollout" >&2
    exit 2
    ;;
esac
