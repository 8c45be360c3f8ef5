import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createOperator, defineConfig } from "holdfast";
import {
  createGuard,
  defineEffect,
  effectOf,
  type Guard,
  guardTools,
  NotDoneError,
  type ToolNotice,
  toolKey,
} from "holdfast/guard";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { chargeEffect, toolsOf } from "../../../examples/guard/agent.ts";
import { withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const AGENT = fileURLToPath(new URL("../../support/fixtures/guarded-agent.ts", import.meta.url));
const env = testEnvironment();
const large = defineEffect({ name: "large", timeoutMs: 10_000, inDoubt: "hold" });
let guard: Guard;
beforeAll(async () => {
  guard = await createGuard({ effects: [chargeEffect, large], env });
});
afterAll(() => guard.stop());

type Turn = Readonly<Record<string, unknown>>;
type Tools = Readonly<Record<string, { execute?: (input: never, options: never) => unknown }>>;

/** The loop of an agent: a mocked model calls a tool in each turn, with an id that it makes up, and gets what comes of it. */
async function runAgent(tools: Tools, turns: readonly (readonly [tool: string, input: Turn])[]) {
  const results: unknown[] = [];
  for (const [tool, input] of turns) {
    const options = { toolCallId: `call_${randomUUID()}`, messages: [] };
    results.push(await tools[tool]?.execute?.(input as never, options as never));
  }
  return results;
}

function bankOf(charge = async (_cents: number, { key }: { key: string }) => ({ id: key })) {
  const spy = vi.fn(charge);
  return { charge: spy };
}

describe("a guarded tool of an agent", () => {
  it("acts once in a run for its arguments, whatever ids the model makes up, and others stay as they are", async () => {
    const bank = bankOf();
    const conversation = { id: randomUUID() };
    const turns = [
      ["charge", { cents: 500, to: "ann" }],
      ["charge", { to: "ann", cents: 500.0 }],
      ["lookUpOrder", { order: "17" }],
    ] as const;
    const first = await runAgent(toolsOf(guard, bank, conversation), turns);
    expect(first).toEqual([{ id: expect.any(String) }, first[0], { order: "17", cents: 500 }]);
    expect(await runAgent(toolsOf(guard, bank, conversation), turns)).toEqual(first);
    expect(bank.charge).toHaveBeenCalledTimes(1);

    await runAgent(toolsOf(guard, bank, conversation), [["charge", { cents: 501 }]]);
    await runAgent(toolsOf(guard, bank, { id: randomUUID() }), [["charge", { cents: 500 }]]);
    expect(bank.charge).toHaveBeenCalledTimes(3);
  });

  it("needs a run, and leaves alone a tool whose name only objects have", async () => {
    const execute = vi.fn(async () => "looked up");
    const tools = { charge: { execute }, toString: { execute } };
    for (const run of ["", undefined, 5]) {
      const guarded = guardTools(guard, tools, {
        run: run as string,
        effects: { charge: chargeEffect } as never,
      });
      await expect(guarded.charge.execute()).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
    expect(execute).not.toHaveBeenCalled();
    const plain = guardTools(guard, tools, { run: randomUUID(), effects: {} as never });
    expect(await plain.toString.execute()).toBe("looked up");
  });

  it("acts again for an explicit occurrence alone", async () => {
    const bank = bankOf();
    let occurrence = "1";
    const tools = guardTools(
      guard,
      { charge: { execute: (_input: Turn, options: object) => bank.charge(1, effectOf(options)) } },
      { run: randomUUID(), effects: { charge: chargeEffect }, occurrence: async () => occurrence },
    );
    const turns = [["charge", { cents: 1 }]] as const;
    await runAgent(tools, [...turns, ...turns]);
    occurrence = "2";
    await runAgent(tools, turns);
    expect(bank.charge).toHaveBeenCalledTimes(2);
  });

  it.for([
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: -0 }, { a: 0 }, true],
    [{ a: JSON.parse("1.0") }, { a: 1 }, true],
    [{ a: 1, b: undefined }, { a: 1 }, true],
    [{ a: "1" }, { a: 1 }, false],
    [[1, 2], [2, 1], false],
  ] as const)(
    "has a key of its arguments as canonical JSON: %j and %j are equal: %s",
    ([one, other, equal]) => {
      const keyOf = (input: unknown) => toolKey({ run: "r", tool: "t", input });
      expect(keyOf(one) === keyOf(other)).toBe(equal);
      // No part runs into the next one.
      expect(toolKey({ run: "r", tool: "t", input: 1 })).not.toBe(toolKey({ run: "rt", tool: "", input: 1 }));
    },
  );

  it("tells the model that it must not try again while another process is at it, or where no result is kept", async () => {
    const run = randomUUID();
    let end = () => {};
    const waits = {
      execute: () => new Promise<{ id: string }>((resolve) => (end = () => resolve({ id: "1" }))),
    };
    const tools = guardTools(guard, { charge: waits }, { run, effects: { charge: chargeEffect } });
    const running = runAgent(tools, [["charge", {}]]);
    const other = () => runAgent(toolsOf(guard, bankOf(), { id: run }), [["charge", {}]]);
    await until("it is under way", async () => JSON.stringify(await other()).includes("in_progress"));
    end();
    await running;

    const texts = { execute: async () => "x".repeat(17_000) };
    const largeTools = guardTools(guard, { large: texts }, { run, effects: { large } });
    expect(await runAgent(largeTools, [["large", {}]])).toMatchObject([{ status: "done_without_result" }]);
  });

  it("frees its key by its own word, with an error that the model may answer", async () => {
    let isDeclined = true;
    const bank = bankOf(async () => {
      if (isDeclined) throw new NotDoneError("declined");
      return { id: "2" };
    });
    const tools = toolsOf(guard, bank, { id: randomUUID() });
    await expect(runAgent(tools, [["charge", { cents: 1 }]])).rejects.toThrow("declined");
    isDeclined = false;
    expect(await runAgent(tools, [["charge", { cents: 1 }]])).toEqual([{ id: "2" }]);
  });

  it("does not begin when it is aborted before, and has its result when it was done", async () => {
    const bank = bankOf();
    const { charge } = toolsOf(guard, bank, { id: randomUUID() });
    const call = (abortSignal?: AbortSignal) => {
      const options = { toolCallId: "1", messages: [], ...(abortSignal && { abortSignal }) };
      return charge.execute?.({ cents: 1 } as never, options as never);
    };
    await expect(call(AbortSignal.abort())).rejects.toThrow("was aborted before it began");
    expect(bank.charge).not.toHaveBeenCalled();
    const done = await call();
    expect(await call(AbortSignal.abort())).toEqual(done);
  });

  it("may be an object of a class, which keeps what its class has", async () => {
    class Charge {
      readonly cents = 5;
      get description() {
        return `charges ${this.cents}`;
      }
      async execute() {
        return { id: String(this.cents) };
      }
    }
    const tools = { charge: new Charge() };
    const guarded = guardTools(guard, tools, { run: randomUUID(), effects: { charge: chargeEffect } });
    expect(await guarded.charge.execute()).toEqual({ id: "5" });
    expect(guarded.charge.description).toBe("charges 5");
  });

  it("keeps the last of what it yields", async () => {
    const tools = guardTools(
      guard,
      {
        charge: {
          async *execute() {
            yield { id: "preliminary" };
            yield { id: "final" };
          },
        },
      },
      { run: randomUUID(), effects: { charge: chargeEffect } },
    );
    expect(await runAgent(tools, [["charge", {}]])).toEqual([{ id: "final" }]);
  });
});

describe("an agent that is killed while its tool acts", withProcesses, () => {
  it("tells the model so when it is resumed, and goes on once that is resolved", async () => {
    let acts = 0;
    const server = createServer(() => void acts++).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close().closeAllConnections());
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const run = randomUUID();
    const child = spawn(process.execPath, ["--import", "tsx", AGENT, url, run], {
      env: { ...process.env, ...env },
      stdio: "inherit",
    });
    await until("it acts", () => acts === 1);
    child.kill("SIGKILL");

    // The process may yet be alive for all that others know, until its time is over.
    const bank = bankOf();
    const ask = () => runAgent(toolsOf(guard, bank, { id: run }), [["charge", { cents: 500 }]]);
    const told = await until("it is in doubt", async () => {
      const [notice] = (await ask()) as ToolNotice[];
      return notice?.status === "in_doubt" && notice;
    });
    expect(told.message).toMatch(/Do not call this tool again .+ ask billing@shop about holdfast-guard/);
    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    const found = { as: "done", result: '{"id":"ch_1"}', evidence: "in the export", by: "ann" } as const;
    await operator.resolve(told.doubt ?? "", "charge", found);
    expect(await ask()).toEqual([{ id: "ch_1" }]);
    expect([acts, bank.charge.mock.calls.length]).toEqual([1, 0]);
  });
});
