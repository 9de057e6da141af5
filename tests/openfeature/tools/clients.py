"""The official Python clients against a live server. Prints what the flag `plain` gives, and again whenever that changes."""

import sys
import time

from openfeature import api
from openfeature.evaluation_context import EvaluationContext

kind, address, key = sys.argv[1:4]
host, port = address.split(":")
if kind in ("flagd", "rpc"):
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    resolver = ResolverType.RPC if kind == "rpc" else ResolverType.IN_PROCESS
    provider = FlagdProvider(host=host, port=int(port), tls=False, deadline_ms=5000, resolver_type=resolver)
else:
    from openfeature.contrib.provider.ofrep import OFREPProvider

    provider = OFREPProvider(f"http://{address}", headers_factory=lambda: {"Authorization": f"Bearer {key}"})

api.set_provider_and_wait(provider) if hasattr(api, "set_provider_and_wait") else api.set_provider(provider)
client = api.get_client()
last = None
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    got = client.get_boolean_details("plain", False, EvaluationContext("user-7"))
    if (got.value, got.variant) != last:
        last = (got.value, got.variant)
        print(got.value, got.variant, got.reason, flush=True)
    time.sleep(0.02)
