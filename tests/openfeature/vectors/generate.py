#!/usr/bin/env python3
"""Makes the project's own conformance vectors: flags and contexts that stand here, answers that flagd's own engines compute.

    python3 tests/openfeature/vectors/generate.py target/openfeature

reads the engines that tests/run installs there, and writes flags.json and evaluation-cases.jsonl beside itself. A case of which both
generations of bucketing say the same is of the profile `core`, any other of `fractional-v2` or `fractional-v3`. Of generation v2 there
are two engines, in Python and in JavaScript; a case on which they disagree, or by which the daemon differs from them, says nothing about
flagd, and is left out and printed.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / "tools"

FLAGS = {}
# Flag -> the type that it is asked for by default.
TYPES = {}
# Flag -> further types that it is asked for, most of which are wrong.
ALSO = {}


def flag(key, variants, default, targeting=None, *, state="ENABLED", metadata=None, type=None, also=()):
    """Adds a flag. `type` is told by its first variant where it is not given."""
    made = {"state": state, "variants": variants}
    if default is not Ellipsis:
        made["defaultVariant"] = default
    if targeting is not None:
        made["targeting"] = targeting
    if metadata is not None:
        made["metadata"] = metadata
    FLAGS[key] = made
    first = next(iter(variants.values()))
    kinds = {bool: "boolean", str: "string", int: "integer", float: "float", dict: "object"}
    TYPES[key] = type or kinds[first.__class__]
    ALSO[key] = list(also)


ON = {"on": True, "off": False}
ABC = {"a": "alpha", "b": "beta", "c": "gamma", "none": "nothing"}
EIGHT = {f"v{number}": f"value {number}" for number in range(8)}


def shares(weights):
    return [[f"v{number}", weight] for number, weight in enumerate(weights)]


def var(path, *default):
    return {"var": [path, *default]} if default else {"var": path}


def when(condition, then="a", otherwise=None):
    return {"if": [condition, then] if otherwise is None else [condition, then, otherwise]}


def flags():
    # What a flag is without targeting.
    flag("static-boolean", ON, "on", also=["string", "integer", "object"])
    flag("static-string", ABC, "b", also=["boolean", "float"])
    flag("static-integer", {"one": 1, "ten": 10}, "ten", also=["float", "string"])
    flag("static-float", {"half": 0.5, "pi": 3.14}, "pi", also=["boolean"])
    flag("static-object", {"full": {"a": [1, "x", None], "b": {"c": True}}, "empty": {}}, "full", also=["string"])
    flag("falsy-boolean", ON, "off")
    flag("falsy-string", {"empty": "", "full": "x"}, "empty")
    flag("falsy-integer", {"zero": 0, "one": 1}, "zero")
    flag("falsy-float", {"zero": 0.0, "one": 1.5}, "zero", type="float")
    flag("falsy-object", {"empty": {}, "full": {"x": 1}}, "empty")
    flag("empty-targeting", ABC, "a", {})
    flag("null-default", ABC, None)
    flag("no-default", ABC, ...)
    flag("empty-default", ABC, "")
    flag("null-default-with-rule", ABC, None, when({"==": [var("tier"), "gold"]}))
    flag("disabled", ON, "on", state="DISABLED", metadata={"owner": "web"})
    flag("disabled-with-rule", ABC, "a", when(True, "b"), state="DISABLED")
    flag("disabled-without-default", ABC, None, state="DISABLED")
    flag("with-metadata", ON, "on", metadata={"owner": "web", "priority": 3, "ratio": 0.5, "beta": False, "set": "own"})

    # What a rule may give.
    flag("gives-null", ABC, "a", {"if": [True, None, "b"]})
    flag("gives-variant", ABC, "a", {"if": [True, "b"]})
    flag("gives-boolean", {"true": "yes", "false": "no"}, "false", {"==": [var("tier"), "gold"]})
    flag("gives-number", {"1": "one", "2": "two"}, "2", {"if": [{"==": [var("tier"), "gold"]}, 1, 2]})
    flag("gives-stranger", ABC, "a", {"if": [{"==": [var("tier"), "gold"]}, "zeta", "b"]})
    flag("gives-empty-text", ABC, "a", {"if": [{"==": [var("tier"), "gold"]}, "", "b"]})
    flag("gives-no-else", ABC, "c", {"if": [{"==": [var("tier"), "gold"]}, "a"]})
    flag("unknown-operator", ABC, "a", {"if": [{"quantum_leap": [var("tier")]}, "a", "b"]})
    flag("unknown-reference", ABC, "a", {"if": [{"$ref": "nobody"}, "a", "b"]})
    flag("reference", ABC, "b", when({"$ref": "is_staff"}, "a", "c"))
    flag("reference-inside", ABC, "b", when({"and": [{"$ref": "is_staff"}, {"$ref": "is_gold"}]}, "a", "c"))

    # What flagd adds to a context.
    flag("knows-its-key", ABC, "b", when({"==": [var("$flagd.flagKey"), "knows-its-key"]}))
    flag("knows-the-time", ABC, "b", when({">": [var("$flagd.timestamp"), 1700000000]}))
    flag("targeting-key", ABC, "b", when({"in": ["1", var("targetingKey")]}))

    # The operators, each with attributes of every kind.
    attribute = var("x")
    tests = {
        "equals-text": {"==": [attribute, "5"]},
        "equals-number": {"==": [attribute, 5]},
        "strictly-equals-text": {"===": [attribute, "5"]},
        "strictly-equals-number": {"===": [attribute, 5]},
        "differs": {"!=": [attribute, "5"]},
        "strictly-differs": {"!==": [attribute, 5]},
        "not": {"!": [attribute]},
        "truthy": {"!!": [attribute]},
        "or": {"or": [{"==": [attribute, "a"]}, {"==": [var("tier"), "gold"]}]},
        "and": {"and": [{"!!": [attribute]}, {"==": [var("tier"), "gold"]}]},
        "greater": {">": [var("n"), 5]},
        "at-least": {">=": [var("n"), 5]},
        "less": {"<": [var("n"), 5]},
        "at-most": {"<=": [var("n"), 5]},
        "between": {"<": [0, var("n"), 10]},
        "between-inclusive": {"<=": [5, var("n"), 10]},
        "in-list": {"in": [attribute, ["5", "a", "pro"]]},
        "in-text": {"in": ["o", var("s")]},
        "missing": {"missing": ["x", "n"]},
        "missing-some": {"missing_some": [1, ["x", "nowhere"]]},
        "default-of-variable": {"==": [var("nowhere", "fallback"), "fallback"]},
        "path": {"==": [var("deep.inner.name"), "core"]},
        "path-of-list": {"==": [var("list.1"), 2]},
        "sum": {"==": [{"+": [var("n"), 2]}, 7]},
        "difference": {"==": [{"-": [var("n"), 2]}, 3]},
        "product": {"==": [{"*": [var("n"), 2]}, 10]},
        "quotient": {"==": [{"/": [var("n"), 2]}, 2.5]},
        "remainder": {"==": [{"%": [var("n"), 2]}, 1]},
        "largest": {"==": [{"max": [var("n"), 3]}, 5]},
        "smallest": {"==": [{"min": [var("n"), 3]}, 3]},
        "join": {"==": [{"cat": [var("s"), "-", var("n")]}, "pro-5"]},
        "part": {"==": [{"substr": [var("s"), 0, 2]}, "pr"]},
        "part-from-the-end": {"==": [{"substr": [var("s"), -2]}, "ro"]},
        "all": {"all": [var("list"), {">": [var(""), 0]}]},
        "some": {"some": [var("list"), {"==": [var(""), 2]}]},
        "none": {"none": [var("list"), {">": [var(""), 5]}]},
        "merge": {"in": [2, {"merge": [var("list"), [9]]}]},
        "filter": {"!!": [{"filter": [var("list"), {">": [var(""), 2]}]}]},
        "map": {"in": [4, {"map": [var("list"), {"*": [var(""), 2]}]}]},
        "reduce": {"==": [{"reduce": [var("list"), {"+": [var("current"), var("accumulator")]}, 0]}, 6]},
        "starts-with": {"starts_with": [var("s"), "pr"]},
        "ends-with": {"ends_with": [var("s"), "ro"]},
        "starts-with-case": {"starts_with": [var("s"), "PR"]},
        "ends-with-accent": {"ends_with": [var("s"), "é"]},
    }
    for name, test in tests.items():
        flag(f"op-{name}", ABC, "c", when(test, "a", "b"))
    flag("op-starts-with-bare", {"true": "yes", "false": "no", "other": "?"}, "other", {"starts_with": [var("s"), "pr"]})
    flag("op-ends-with-bare", {"true": "yes", "false": "no", "other": "?"}, "other", {"ends_with": [var("s"), "ro"]})
    flag("op-chain", ABC, "none", {"if": [{"==": [var("n"), 5]}, "a", {">": [var("n"), 5]}, "b", "c"]})

    for name, operator in {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "caret": "^", "tilde": "~"}.items():
        flag(f"version-{name}", ABC, "c", when({"sem_ver": [var("v"), operator, "2.3.4"]}, "a", "b"))
        flag(f"version-{name}-short", ABC, "c", when({"sem_ver": [var("v"), operator, "2"]}, "a", "b"))
    flag("version-pre-release", ABC, "c", when({"sem_ver": [var("v"), ">=", "2.3.4-rc.1"]}, "a", "b"))
    flag("version-unknown-operator", ABC, "c", when({"sem_ver": [var("v"), "about", "2.3.4"]}, "a", "b"))
    flag("version-bare", {"true": "yes", "false": "no", "other": "?"}, "other", {"sem_ver": [var("v"), ">=", "2.3.4"]})

    # Bucketing: what is hashed, and how weights are read.
    user = var("targetingKey")
    text = {"cat": [var("$flagd.flagKey"), user]}
    flag("split-implicit", EIGHT, "v7", {"fractional": shares([1, 2, 3, 4])})
    flag("split-explicit", EIGHT, "v7", {"fractional": [user, *shares([10, 20, 30, 40])]})
    flag("split-salted", EIGHT, "v7", {"fractional": [text, *shares([25, 25, 25, 25])]})
    flag("split-accented", EIGHT, "v7", {"fractional": [{"cat": ["é-", user]}, *shares([25, 25, 25, 25])]})
    flag("split-fine", EIGHT, "v7", {"fractional": [text, *shares([1, 999, 99000])]})
    flag("split-attribute", EIGHT, "v7", {"fractional": [var("x"), *shares([25, 25, 25, 25])]})
    flag("split-number", EIGHT, "v7", {"fractional": [var("n"), *shares([25, 25, 25, 25])]})
    flag("split-object", EIGHT, "v7", {"fractional": [var("deep"), *shares([25, 25, 25, 25])]})
    flag("split-without-weights", EIGHT, "v7", {"fractional": [["v0"], ["v1"], ["v2"]]})
    flag("split-negative", EIGHT, "v7", {"fractional": [["v0", -10], ["v1", 3], ["v2"]]})
    flag("split-zero", EIGHT, "v7", {"fractional": shares([0, 0])})
    flag("split-one-zero", EIGHT, "v7", {"fractional": shares([0, 5])})
    flag("split-broken-weight", EIGHT, "v7", {"fractional": shares([0.5, 1])})
    flag("split-too-heavy", EIGHT, "v7", {"fractional": shares([2147483648, 1])})
    flag("split-heaviest", EIGHT, "v7", {"fractional": shares([2147483646, 1])})
    flag("split-too-heavy-together", EIGHT, "v7", {"fractional": shares([2147483647, 1])})
    flag("split-empty-entry", EIGHT, "v7", {"fractional": [["v0", 1], []]})
    flag("split-null-variant", EIGHT, "v7", {"fractional": [["v0", 1], [None, 1]]})
    flag("split-of-nothing", EIGHT, "v7", {"fractional": []})
    flag("split-in-a-rule", EIGHT, "v7", {"if": [{"==": [var("tier"), "gold"]}, {"fractional": shares([1, 1])}, {"fractional": shares([0, 0, 1, 1])}]})
    flag("split-in-a-condition", ABC, "c", when({"fractional": [user, [True, 30], [False, 70]]}, "a", "b"))
    flag("split-computed", EIGHT, "v7", {"fractional": [text, [{"if": [{"==": [var("tier"), "gold"]}, "v4", "v0"]}, 50], ["v1", {"if": [True, 50, 0]}]]})
    flag("split-of-booleans", ON, "off", {"fractional": [text, ["on", 33], ["off", 67]]})


EVALUATORS = {
    "is_staff": {"ends_with": [var("email"), "@example.com"]},
    "is_gold": {"==": [var("tier"), "gold"]},
}
METADATA = {"set": "vectors", "flagSetId": "ripcord-vectors"}

EVERYTHING = {
    "targetingKey": "user-1",
    "tier": "gold",
    "email": "ada@example.com",
    "x": "5",
    "n": 5,
    "s": "pro",
    "v": "2.3.4",
    "list": [1, 2, 3],
    "deep": {"inner": {"name": "core", "size": 2}},
}


# What the attributes of operators are, besides what they are in EVERYTHING.
VALUES = {
    "x": ["a", "", "0", 5, 5.0, 0, -1, 4.5, True, False, None, []],
    "n": [4, 5.0, 6, 10, -3, 2.5, 0],
    "s": ["", "Pro", "polo", "pré", "p"],
    "list": [[], [7], [2, 2]],
    "deep": [{}, {"inner": 1}],
}


def is_read(key, name):
    """Whether the flag's rule names the attribute."""
    return re.search(rf'"{name}(\.[^"]*)?"', json.dumps(FLAGS[key].get("targeting"))) is not None


def contexts(key):
    """The contexts that a flag is evaluated for: a few for all, and those of what it is about."""
    about = key.split("-", 1)[0]
    yield {}
    if about != "version":
        yield EVERYTHING
        yield {"targetingKey": "", "tier": "silver", "n": 7, "s": "café", "v": "1.0.0"}
    if about in ("gives", "reference", "null"):
        yield {"targetingKey": "user-2", "tier": "bronze", "email": "bob@example.org"}
        yield {"tier": "gold", "email": "eve@example.org"}
    if about == "op":
        reads = [name for name in [*VALUES, "tier"] if is_read(key, name)]
        base = {name: EVERYTHING[name] for name in reads}
        for name in reads:
            for value in VALUES.get(name, []):
                yield base | {name: value}
    if about == "version":
        versions = ["2.3.4", "v2.3.4", "V2.3.4", "2.3.5", "2.4.0", "3.0.0", "1.9.9", "2", "2.3", "2.3.4-rc.1", "2.3.4-rc.2", "2.3.4-alpha",
                    "2.3.4+build.7", "2.3.4.0", "two", "", "2.10.0", "2.9.0", "10.0.0"]
        for version in versions:
            yield {"v": version}
        for number in (2, 2.3, 3.0):
            yield {"v": number}
    if about == "split":
        for number in range(10):
            own = {"x": f"group-{number}", "tier": "gold" if number % 2 else "silver", "n": number, "deep": {"b": number, "a": [number / 2, None, True]}}
            yield {"targetingKey": f"user-{number}"} | {name: value for name, value in own.items() if is_read(key, name)}
        for value in (1.5, -25, 0, 65536, 4294967296, 0.1, 16777216.5, 1e300, True, False, "", {"z": 1, "aa": "x"}):
            if is_read(key, "x"):
                yield {"targetingKey": "user-1", "x": value}
        for user in ("é", "日本語", "user 1", "x" * 300):
            yield {"targetingKey": user}


DEFAULTS = {"boolean": False, "string": "own", "integer": -7, "float": -7.5, "object": {"own": 1}}


def cases():
    for key in FLAGS:
        for context in contexts(key):
            for type in [TYPES[key], *ALSO[key]]:
                yield {"flag": key, "context": context, "type": type, "default": DEFAULTS[type]}
    for type in DEFAULTS:
        yield {"flag": "nobody-knows-me", "context": {}, "type": type, "default": DEFAULTS[type]}


def is_written_by_engines_as_they_like(case):
    """Whether the case joins null to a text, which engines write as "", "null" or "None"."""
    return "targetingKey" not in case["context"] and '{"cat": [' in json.dumps(FLAGS.get(case["flag"])) and case["flag"].startswith("split-")


def buckets_null(case):
    """Whether null is bucketed by: in generation v2 the daemon takes the implicit value then, and the clients' engines give null."""
    by = {"split-attribute": "x", "split-number": "n", "split-object": "deep"}.get(case["flag"])
    return by is not None and case["context"].get(by) is None


def answers(command, document, asked):
    """What one engine answers to each case."""
    with tempfile.TemporaryDirectory() as folder:
        flags_file, cases_file = Path(folder, "flags.json"), Path(folder, "cases.jsonl")
        flags_file.write_text(json.dumps(document), encoding="utf-8")
        cases_file.write_text("".join(json.dumps(case) + "\n" for case in asked), encoding="utf-8")
        ran = subprocess.run([*command, flags_file, cases_file], capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(ran.stderr)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(lines) == len(asked), f"{len(lines)} answers to {len(asked)} cases"
    return lines


def expected(case, answer):
    """An answer as a case states it. Engines differ in what they tell of a flag beside an error."""
    if "errorCode" in answer:
        return {"value": case["default"], "variant": None, "reason": "ERROR", "errorCode": answer["errorCode"]}
    value = case["default"] if answer["variant"] is None else answer["value"]
    made = {"value": value, "variant": answer["variant"], "reason": answer["reason"]}
    if case["flag"].startswith(("static-", "with-")):
        made["metadata"] = answer["metadata"]
    return made


def main():
    tools = Path(sys.argv[1]).resolve()
    flags()
    document = {"flags": FLAGS, "$evaluators": EVALUATORS, "metadata": METADATA}
    asked = list(cases())
    python = TOOLS / "engine.py"
    v2 = answers([tools / "python-v2/bin/python", python], document, asked)
    v3 = answers([tools / "python-v3/bin/python", python], document, asked)
    javascript = answers(["node", TOOLS / "engine.mjs", tools / "node"], document, asked)
    lines, left_out = [], 0
    for case, *three in zip(asked, v2, v3, javascript, strict=True):
        two, three, other = (expected(case, answer) for answer in three)
        decides = ("value", "variant", "reason", "errorCode")
        if is_written_by_engines_as_they_like(case):
            continue
        agreed = all(two.get(member) == other.get(member) for member in decides) and not buckets_null(case)
        if not agreed:
            left_out += 1
            print(f"left out: {case['flag']} as {case['type']} for {json.dumps(case['context'])}: {two} or {other}", file=sys.stderr)
        if agreed and two == three:
            lines.append((case, "core", two))
            continue
        if agreed:
            lines.append((case, "fractional-v2", two))
        if case["flag"].startswith("split-"):
            lines.append((case, "fractional-v3", three))
    with open(HERE / "flags.json", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
        file.write("\n")
    with open(HERE / "evaluation-cases.jsonl", "w", encoding="utf-8") as file:
        for number, (case, profile, expect) in enumerate(lines):
            line = {"id": f"own-{number:04}", "flags_file": "flags.json", **case, "profile": profile, "expect": expect}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{len(lines)} cases of {len(FLAGS)} flags; {left_out} on which the engines of v2 disagree are left out")


main()
