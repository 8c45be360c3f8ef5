import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { defineJob, type EffectDeclaration, NotDoneError } from "holdfast";
import { combine, http, smtp, sql } from "holdfast/evidence";
import { runHandler } from "holdfast/testing";
import { createTransport } from "nodemailer";
import { request } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { type SmtpScript, startScriptedSmtp } from "../../support/smtp-script.ts";

/** Runs an effect once, with what the process really sees of it. */
async function verdictOf(act: () => Promise<unknown>, declared: Partial<EffectDeclaration>) {
  const job = defineJob({
    type: "act",
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 5_000, inDoubt: "hold", ...declared } as EffectDeclaration },
  });
  const run = await runHandler(
    job.handler(async ({ effect }) => await effect("act", act)),
    {},
  );
  const { code, retryAfterMs } = run.error ?? {};
  return { effect: run.effects[0]?.state, code, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

const notDone = { effect: "not-done", code: "HANDLER_FAILED" };
const notDoneForGood = { effect: "not-done", code: "PERMANENT_FAILURE" };
const inDoubt = { effect: "in-doubt", code: "EFFECT_IN_DOUBT" };

/** Answers each request with the next status; the last one again and again. Undefined: acts and resets. */
async function startApi(...statuses: (number | undefined)[]): Promise<string> {
  const server = createServer((incoming, response) => {
    const status = statuses.length > 1 ? statuses.shift() : statuses[0];
    if (status === undefined) return void incoming.socket.resetAndDestroy();
    response.writeHead(status, { "retry-after": "7" }).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST", body: "{}" });
  if (!response.ok) throw new Error(`answered ${response.status}`, { cause: response });
}

/** As clients do that send again by themselves. */
async function postTwice(url: string): Promise<void> {
  await post(url).catch(() => post(url));
}

describe("a classifier with what the process saw", () => {
  it("believes a refusal", async () => {
    const url = await startApi(404);
    expect(await verdictOf(() => post(url), { classify: http })).toEqual({ ...notDone, retryAfterMs: 7_000 });
    expect(await verdictOf(() => post(url), { classify: combine(sql, http) })).toMatchObject(notDone);
  });

  it("does not, if the client had sent it before, and that may have acted", async () => {
    const url = await startApi(undefined, 404);
    expect(await verdictOf(() => postTwice(url), { classify: http })).toEqual(inDoubt);
  });

  it("does, if both were refused", async () => {
    const url = await startApi(429, 404);
    expect(await verdictOf(() => postTwice(url), { classify: http })).toMatchObject(notDone);
  });

  it("does not, if it was not the effect that was refused", async () => {
    const url = await startApi(200);
    const act = async () => {
      await request(url, { method: "POST" });
      throw Object.assign(new Error("no such order"), { status: 404 });
    };
    expect(await verdictOf(act, { classify: http })).toEqual(inDoubt);
  });

  it("leaves the effect its own word, whatever caused it", async () => {
    const url = await startApi(500);
    const act = () =>
      post(url).catch((cause) => Promise.reject(new NotDoneError("the shop is closed", { cause })));
    expect(await verdictOf(act, { classify: http })).toEqual(notDone);
  });
});

describe("nodemailer with what the process saw", () => {
  const send = (url: string) => async () => {
    const transport = createTransport({ url, socketTimeout: 500, tls: { rejectUnauthorized: false } });
    await transport.sendMail({ from: "a@example.com", to: "b@example.com", text: "hello" });
  };
  const verdictOn = async (script: SmtpScript) => {
    await using server = await startScriptedSmtp(script);
    return await verdictOf(send(server.url), { classify: smtp });
  };

  it("has sent nothing if nobody listens; without a classifier that is a doubt", async () => {
    const server = await startScriptedSmtp({});
    await server.stop();
    expect(await verdictOf(send(server.url), { classify: smtp })).toEqual(notDone);
    expect(await verdictOf(send(server.url), {})).toEqual(inDoubt);
  });

  it("has sent nothing if the mail is refused; for good after 5xx", async () => {
    expect(await verdictOn({ RCPT: "450 greylisted" })).toEqual(notDone);
    expect(await verdictOn({ message: "554 spam" })).toEqual(notDoneForGood);
  });

  it("may have sent the mail if the connection is lost after it", async () => {
    expect(await verdictOn({ message: "close" })).toEqual(inDoubt);
  });

  it("may have sent the first of two mails in one effect if the second is refused", async () => {
    await using server = await startScriptedSmtp({}, { RCPT: "550 no such mailbox" });
    const both = async () => {
      await send(server.url)();
      await send(server.url)();
    };
    expect(await verdictOf(both, { classify: smtp })).toEqual(inDoubt);
  });
});

describe("what an effect prints", () => {
  it("is no connection over which it acted", async () => {
    const url = await startApi(404);
    const program = `
      import { defineJob } from "holdfast";
      import { http } from "holdfast/evidence";
      import { runHandler } from "holdfast/testing";
      import { z } from "zod";
      const job = defineJob({
        type: "act", payload: z.unknown(), result: z.unknown(), timeoutMs: 5_000,
        retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
        effects: { act: { timeoutMs: 5_000, inDoubt: "hold", classify: http } },
      });
      const handler = job.handler(async ({ effect }) => await effect("act", async () => {
        console.log("asking the shop");
        console.error("asking the shop");
        const response = await fetch(${JSON.stringify(url)}, { method: "POST" });
        throw new Error("refused", { cause: response });
      }));
      // The first run loads modules, for which the loader of TypeScript sends messages to its thread.
      await runHandler(handler, {});
      const run = await runHandler(handler, {});
      console.log(run.effects[0].state);`;
    const args = [
      "--conditions=holdfast-source",
      "--import",
      "tsx",
      "--input-type=module",
      "--eval",
      program,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout.trim().split("\n").at(-1)).toBe("not-done");
  });
});
