import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { defineConfig } from "holdfast";
import { createGuard, defineEffect, type Guard, InDoubtError } from "holdfast/guard";
import { startApi } from "holdfast/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyEntry } from "../../support/keys.ts";
import { testEnvironment } from "../../support/service.ts";

const script = fileURLToPath(new URL("../../support/fixtures/guarded.py", import.meta.url));
const charge = defineEffect({ name: "charge", timeoutMs: 60_000, inDoubt: "hold" });
const env = testEnvironment({ HOLDFAST_API_KEYS: keyEntry("python", "act", "key") });

/** How often the bank has seen each key. */
const acts = new Map<string, number>();
const bank = createServer((request, response) => {
  const key = request.url ?? "";
  acts.set(key, (acts.get(key) ?? 0) + 1);
  response.end(JSON.stringify({ id: `ch${key}` }));
});
let api: Awaited<ReturnType<typeof startApi>>;
let guard: Guard;

beforeAll(async () => {
  await once(bank.listen(0, "127.0.0.1"), "listening");
  api = await startApi(defineConfig({ jobs: [] }), env);
  guard = await createGuard({ effects: [charge], env });
});
afterAll(async () => {
  await Promise.all([api.stop(), guard.stop()]);
  bank.close();
});

let keys = 0;

interface Told {
  readonly result?: { readonly id: string };
  readonly error?: string;
}

/** Without Python this fails: `npm test` installs it. */
async function python(key: string, dieAt: string, { count = 1, how = "once" } = {}): Promise<Told[]> {
  const bankUrl = `http://127.0.0.1:${(bank.address() as AddressInfo).port}`;
  const args = [script, api.url, bankUrl, key, dieAt, String(count), how];
  const child = spawn("python3", args, { stdio: ["ignore", "pipe", "inherit"] });
  const [written] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return written
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Told);
}

/** What the next call gets, of a guard in TypeScript, and how often the bank was called. */
async function next(key: string) {
  let id = "";
  const run = async (call: { readonly key: string }) => {
    id = call.key;
    acts.set(`/${id}`, (acts.get(`/${id}`) ?? 0) + 1);
    return { id: `ch/${id}` };
  };
  const call = { key, content: { cents: 5 }, waitMs: 30_000 };
  const got = await guard.once(charge, call, run).catch((error: unknown) => error);
  if (got instanceof InDoubtError)
    return { got: "in doubt", about: got.doubt?.reason, acts: acts.get(`/${got.doubt?.effectKey}`) ?? 0 };
  const done = got as { readonly id: string };
  return { got: "result", acts: acts.get(done.id.slice(2)) ?? 0 };
}

const late = "its process did not report before the deadline";

describe.concurrent("the client for Python", { timeout: 60_000 }, () => {
  it.for([
    ["before reserve", { got: "result", acts: 1 }],
    ["after reserve", { got: "in doubt", acts: 0, about: late }],
    ["before act", { got: "in doubt", acts: 0, about: late }],
    ["before commit", { got: "in doubt", acts: 1, about: late }],
    ["after commit", { got: "result", acts: 1 }],
  ] as const)("killed %s, leaves a doubt exactly where nobody can know", async ([point, expected]) => {
    const key = `python-${++keys}`;
    expect(await python(key, point)).toEqual([]);
    expect(await next(key)).toMatchObject(expected);
    const again = await python(key, "nowhere");
    expect(again).toEqual([
      expected.got === "result" ? { result: { id: expect.stringMatching(/^ch\//) } } : { error: "IN_DOUBT" },
    ]);
  });

  it("frees the key by the function's own word, and by no error", async () => {
    const [free, held] = [`python-${++keys}`, `python-${++keys}`];
    expect(await python(free, "not done")).toEqual([{ error: "NotDone" }]);
    expect(await next(free)).toEqual({ got: "result", acts: 1 });
    expect(await python(held, "error")).toEqual([{ error: "IN_DOUBT" }]);
    expect(await next(held)).toMatchObject({ about: "ConnectionResetError: reset by peer", acts: 0 });
  });

  it.for([
    ["error without text", "Unreadable"],
    ["error of odd text", expect.stringMatching(/^ValueError: \?💸{100,}$/u)],
  ] as const)("is in doubt at once after an %s", async ([how, about]) => {
    const key = `python-${++keys}`;
    expect(await python(key, how)).toEqual([{ error: "IN_DOUBT" }]);
    expect(await next(key)).toMatchObject({ got: "in doubt", about, acts: 0 });
  });

  it.for(["once", "asyncio"])("does not take another effect's word for its own: %s", async (how) => {
    const key = `python-${++keys}`;
    expect(await python(key, "inner not done", { how })).toEqual([{ error: "IN_DOUBT" }]);
    expect(await next(key)).toMatchObject({ got: "in doubt", about: "NotDone: no such address", acts: 1 });
  });

  it("is not done by a function that returns what is still to run", async () => {
    const [refused, ...keysInDoubt] = [1, 2, 3].map(() => `python-${++keys}`) as [string, string, string];
    expect(await python(refused, "async")).toEqual([{ error: "TypeError" }]);
    expect(await next(refused)).toEqual({ got: "result", acts: 1 });
    for (const [at, how] of ["once", "asyncio"].entries()) {
      const key = String(keysInDoubt[at]);
      expect(await python(key, "no await", { how })).toEqual([{ error: "IN_DOUBT" }]);
      expect(await next(key)).toMatchObject({ got: "in doubt", acts: 0 });
    }
    for (const what of ["map", "pages", "function", "future", "thread", "list"]) {
      const key = `python-${++keys}`;
      expect(await python(key, `returns: ${what}`)).toEqual([{ error: "IN_DOUBT" }]);
      expect(await next(key)).toMatchObject({
        got: "in doubt",
        about: expect.stringContaining("StillToRun"),
        acts: 0,
      });
    }
    // What JSON cannot hold is done all the same.
    expect(await python(`python-${++keys}`, "returns: a circle")).toEqual([{ error: "RESULT_INVALID" }]);
  });

  it.for([
    ["a lone surrogate", '{"id":"\\ud800"}'],
    ["a member that bodies may not have", '{"__proto__":{"a":1}}'],
    ["a number that JavaScript does not hold", "123456789012345678901234567890"],
    ["more levels than bodies may have", `${"[".repeat(100)}${"]".repeat(100)}`],
  ] as const)("is done whatever its function returns: %s", async ([, json]) => {
    const key = `python-${++keys}`;
    const [told] = await python(key, `returns ${json}`);
    expect(told?.error).not.toBe("IN_DOUBT");
    // A result that was not kept is never told as none.
    expect(await python(key, "nowhere")).toEqual([told]);
    const found = await guard
      .once(charge, { key, content: { cents: 5 } }, async () => "again")
      .catch(({ code }) => ({ error: code }));
    expect(found).toEqual(told?.error === undefined ? told?.result : told);
  });

  it.for(["threads", "asyncio"])("runs it once for many calls of %s at once", async (how) => {
    const told = await python(`python-${++keys}`, "nowhere", { count: 12, how });
    expect(told).toHaveLength(12);
    const [{ result } = {}] = told;
    expect(told).toEqual(told.map(() => ({ result })));
    expect(acts.get(String(result?.id.slice(2)))).toBe(1);
  });

  it("is in doubt when asyncio has cancelled its function", async () => {
    const key = `python-${++keys}`;
    expect(await python(key, "slow", { how: "asyncio" })).toEqual([{ error: "IN_DOUBT" }]);
    expect(await next(key)).toMatchObject({ got: "in doubt", about: "TimeoutError: ", acts: 0 });
  });
});
