// A client that openapi-typescript and openapi-fetch make of /openapi.json: kill, error, list, restore, rollback.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

const [url, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });
const env = "production";

function check(holds: unknown, what: string, seen: unknown): asserts holds {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}

const kill = (body: components["schemas"]["KillRequest"]) =>
  client.POST("/v1/environments/{env}/kills", {
    params: { path: { env }, query: { wait: "1s" }, header: { "Idempotency-Key": JSON.stringify(body) } },
    body,
  });

const killed = await kill({ scope: { flag: "checkout" }, reason: "a test" });
check(killed.data && killed.response.status === 201, "killed", killed);
const missing = await kill({ scope: { flag: "nothing" } });
const code: components["schemas"]["Code"] | undefined = missing.error?.code;
check(code === "FLAG_NOT_FOUND" && missing.response.status === 404, "refused", missing);
const listed = await client.GET("/v1/environments/{env}/kills", { params: { path: { env }, query: { limit: 10 } } });
check(listed.data?.items.some((view) => view.id === killed.data.id), "listed", listed);
const lifted = await client.DELETE("/v1/environments/{env}/kills/{key}", {
  params: { path: { env, key: killed.data.id } },
  body: { reason: "fixed" },
});
check(lifted.data && "restored" in lifted.data && lifted.data.restored?.[0] === "checkout", "restored", lifted);
const changed = await client.POST("/v1/environments/{env}/commits", {
  params: { path: { env } },
  body: { reason: "a test", changes: [{ set_enabled: { key: "checkout", enabled: false } }] },
});
check(changed.response.status === 200, "changed", changed);
const rolled = await client.POST("/v1/environments/{env}/rollbacks", {
  params: { path: { env }, query: { wait: "5s" } },
  body: { to: "1:1", flags: ["checkout"], reason: "a test" },
});
check(rolled.data && "flags" in rolled.data && rolled.response.status === 201, "rolled back", rolled);
const read = await client.GET("/v1/environments/{env}/rollbacks/{key}", { params: { path: { env, key: rolled.data.id } } });
check(read.data?.id === rolled.data.id, "read", read);
const ready = await client.GET("/readyz");
check(ready.data?.status === "ready", "ready", ready);
console.log("done");
