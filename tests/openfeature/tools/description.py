"""A client that openapi-python-client has generated from /openapi.json: kill, error, list, restore, rollback.

usage: description.py validate DOCUMENT | description.py client DOCUMENT FOLDER URL KEY
"""

import json
import pathlib
import subprocess
import sys


def validate(document):
    from openapi_spec_validator import OpenAPIV31SpecValidator

    errors = list(OpenAPIV31SpecValidator(json.loads(document.read_text())).iter_errors())
    for error in errors:
        print(f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    assert not errors, f"{len(errors)} errors"
    print("valid")


def generate(document, folder):
    config = folder / "config.yml"
    config.write_text("post_hooks: []\npackage_name_override: ripcord_api\ncontent_type_overrides:\n  application/x-ndjson: text/plain\n")
    program = pathlib.Path(sys.executable).with_name("openapi-python-client")
    command = [program, "generate", "--path", document, "--output-path", folder / "ripcord_api", "--meta", "none", "--config", config, "--overwrite"]
    made = subprocess.run(command, capture_output=True, text=True)
    print(made.stdout, made.stderr)
    assert made.returncode == 0
    assert "WARNING" not in made.stdout + made.stderr, "parts of the description were left out of the client"
    sys.path.insert(0, str(folder))


def use(url, key):
    from ripcord_api import AuthenticatedClient
    from ripcord_api.api.commits import create_commit
    from ripcord_api.api.kills import create_kill, list_kills, restore_kill
    from ripcord_api.api.rollbacks import create_rollback, get_rollback, undo_rollback
    from ripcord_api.models import CommitRequest, Code, KillRequest, Problem, ReasonRequest, RollbackRequest

    client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)
    env = "production"

    def kill(scope, **more):
        return create_kill.sync_detailed(env, client=client, body=KillRequest.from_dict({"scope": scope, **more}), idempotency_key=f"py-{scope}")

    killed = kill({"flag": "checkout"}, reason="a test")
    assert killed.status_code == 201 and killed.parsed.flags_total == 1, killed
    missing = kill({"flag": "nothing"})
    assert missing.status_code == 404, missing
    assert isinstance(missing.parsed, Problem) and missing.parsed.code == Code.FLAG_NOT_FOUND, missing
    listed = list_kills.sync(env, client=client, limit=10)
    assert [view.id for view in listed.items] == [killed.parsed.id], listed
    lifted = restore_kill.sync(env, killed.parsed.id, client=client, body=ReasonRequest(reason="fixed"))
    assert list(lifted.restored) == ["checkout"], lifted

    changes = {"reason": "a test", "changes": [{"set_enabled": {"key": "checkout", "enabled": False}}]}
    changed = create_commit.sync(env, client=client, body=CommitRequest.from_dict(changes))
    assert changed.changed, changed
    back = RollbackRequest.from_dict({"to": "1:1", "flags": ["checkout"], "reason": "a test"})
    rolled = create_rollback.sync_detailed(env, client=client, body=back, wait="5s")
    assert rolled.status_code == 201, rolled
    assert list(rolled.parsed.flags) == ["checkout"], rolled
    read = get_rollback.sync(env, rolled.parsed.id, client=client)
    assert read.id == rolled.parsed.id, read
    undone = undo_rollback.sync_detailed(env, rolled.parsed.id, client=client)
    assert undone.status_code == 201, undone
    print("done")


if __name__ == "__main__":
    if sys.argv[1] == "validate":
        validate(pathlib.Path(sys.argv[2]))
    else:
        generate(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
        use(sys.argv[4], sys.argv[5])
