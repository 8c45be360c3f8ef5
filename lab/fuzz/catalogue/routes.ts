import type { Random } from "../../../test/support/random.ts";
import { JSON_TYPE, request } from "../lib/request.ts";
import { anyText, type Group } from "./kind.ts";

const oddIds = [
  "active",
  "meta",
  "wait",
  "1",
  "0",
  "-1",
  "*",
  "null",
  "undefined",
  "__proto__",
  "constructor",
  "%00",
  "%0d%0a",
  "..",
  "%2e%2e",
  "..%2f..%2fetc%2fpasswd",
  "%c3%28",
  "%",
  "%zz",
  "a:b:c",
  "{default}",
  "default_",
  "%F0%9F%94%91",
  "'--",
  "$(id)",
  "default_019ab3c2-7c1e-7d3a-9a54-0123456789ab:lock",
  "default_00000000-0000-7000-8000-000000000000",
] as const;

const methods = [
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
  "QUERY",
  "LINK",
  "FOO",
  "get",
  "PoSt",
  "M-SEARCH",
] as const;

/** Wrong paths and methods. */
export const routes: Group = {
  name: "paths and methods",
  kinds: [
    {
      name: "ids of every shape, read",
      make: (random) => get(`/jobs/${id(random)}${random.pick(["", "/status"])}`),
    },
    {
      name: "ids of every shape, changed",
      make: (random) => post(`/jobs/${id(random)}/${random.pick(["retry", "cancel"])}`),
    },
    { name: "ids and effects of every shape, resolved", make: resolve },
    { name: "schedules and ticks of every shape", make: schedules },
    { name: "unknown paths", make: (random) => get(unknownPath(random)) },
    {
      name: "other methods",
      make: (random) =>
        request({
          method: random.pick(methods),
          path: random.pick(["/jobs", "/jobs/x/status", "/failures", "/x"]),
        }),
    },
    { name: "invalid queries", make: (random) => get(query(random)) },
  ],
};

const get = (path: string) => request({ method: "GET", path });
const post = (path: string) => request({ path });

function id(random: Random): string {
  return random.pick([
    () => random.pick(oddIds),
    () => encodeURIComponent(anyText(random)),
    () => "x".repeat(random.between(100, 15_000)),
    () => `default_${"0123456789abcdef-".repeat(4).slice(0, random.between(1, 60))}`,
  ])();
}

function resolve(random: Random): Buffer {
  const body = random.pick([
    () => JSON.stringify({ as: "done", evidence: "seen" }),
    () => JSON.stringify({ as: random.pick(["maybe", "", 1]), evidence: anyText(random) }),
    () => `{"as":"done","evidence":"x","result":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
    () => JSON.stringify({ as: "done", evidence: "x".repeat(2_001) }),
    () => '{"as":"done","as":"not-done","evidence":"x"}',
  ])();
  return request({ path: `/jobs/${id(random)}/effects/${id(random)}/resolve`, headers: [JSON_TYPE], body });
}

function schedules(random: Random): Buffer {
  return random.pick([
    () => get(`/schedules/${id(random)}x/ticks`),
    () =>
      get(
        `/schedules/hourly/ticks/${random.pick(["x", "0", "2026", "9999-99-99T00:00:00Z", encodeURIComponent(anyText(random))])}`,
      ),
    () => post(`/schedules/${id(random)}x/run`),
  ])();
}

function unknownPath(random: Random): string {
  return random.pick([
    "/",
    "/nope",
    "/jobs/",
    "/JOBS",
    "/jobs//status",
    "/..%2f..%2fetc/passwd",
    "/%",
    "/jobs/x/y/z",
    "//jobs",
    "/jobs;a=b",
    "*",
    "/docs/..%5c..%5cx",
    `/${encodeURIComponent(anyText(random))}x`,
    `/${"a/".repeat(random.between(1, 5_000))}`,
  ]);
}

function query(random: Random): string {
  return random.pick([
    `/jobs?limit=${random.pick(["0", "201", "-1", "1.5", "x", "1e9", "NaN", "%20"])}`,
    `/jobs?state=${random.pick(["Active", "done", "__proto__", "%00", ""])}`,
    `/jobs?${encodeURIComponent(anyText(random))}x=1`,
    `/jobs?cursor=${random.pick(["x", "%7B%7D", "bnVsbA", "W10", "WzEsMiwzXQ", "WyJkZWZhdWx0Iiwid2FpdGluZyIsLTFd"])}`,
    "/jobs?limit=1&limit=2",
    `/jobs?from=${random.pick(["x", "2026", "2026-02-30T00:00:00Z"])}`,
    `/jobs?idempotencyKey=${"k".repeat(513)}`,
    `/doubts?offset=${random.pick(["-1", "100001", "x"])}`,
    `/audit?limit=${random.pick(["0", "x"])}`,
    `/schedules?next=${random.pick(["-1", "x", "1000000"])}`,
  ]);
}
