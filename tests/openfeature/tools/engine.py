"""Evaluates flags with the engine of flagd's Python client: a flag file and a file of cases in, an answer a line out."""

import json
import sys

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

flags, cases = sys.argv[1:3]
core = FlagdCore()
with open(flags, encoding="utf-8") as file:
    core.set_flags(file.read())

resolvers = {
    "boolean": core.resolve_boolean_value,
    "string": core.resolve_string_value,
    "integer": core.resolve_integer_value,
    "float": core.resolve_float_value,
    "object": core.resolve_object_value,
}

with open(cases, encoding="utf-8") as lines:
    for line in lines:
        case = json.loads(line)
        attributes = dict(case["context"])
        context = EvaluationContext(attributes.pop("targetingKey", None), attributes)
        try:
            got = resolvers[case["type"]](case["flag"], case["default"], context)
            served = got.value if got.variant is not None else None
            answer = {"value": served, "variant": got.variant, "reason": str(got.reason), "metadata": dict(got.flag_metadata)}
        except OpenFeatureError as error:
            answer = {"reason": "ERROR", "errorCode": str(error.error_code.value)}
        print(json.dumps(answer))
