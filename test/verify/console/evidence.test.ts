import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { defineJob, InDoubtError } from "holdfast";
import type { Api } from "holdfast/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { launchBrowser, sidewaysScroll, viewports } from "../../support/browser.ts";
import { accessibilityFaults, openConsole } from "../../support/console-page.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, type Service, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const stops: (() => Promise<void>)[] = [];
// The commands' application has a type of this name.
const charge = defineJob({
  type: "echo",
  payload: z.enum(["sent", "unseen"]),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
});
let service: Service;
let api: Api;
let browser: Browser;
let sent: string;
let sentence: RegExp;
let verdictFirst: RegExp;

beforeAll(async () => {
  const provider = createServer(({ socket }) => socket.destroy());
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  stops.push(async () => void provider.close());
  const { port } = provider.address() as AddressInfo;
  sentence = new RegExp(`POST 127\\.0\\.0\\.1:${port}/v1/charges: sent, connection \\w+ after [\\d.]+ m?s`);
  // For people at a screen the verdict is first.
  verdictFirst = new RegExp(
    `sent, connection \\w+ after [\\d.]+ m?s · POST 127\\.0\\.0\\.1:${port}/v1/charges`,
  );
  const handler = charge.handler(async ({ payload, effect }) => {
    await effect("charge", async () => {
      if (payload === "unseen") throw new InDoubtError("nobody saw it");
      await fetch(`http://127.0.0.1:${port}/v1/charges?card=4242`, { method: "POST", body: "a secret" });
    });
  });
  service = createService(applicationOf(handler), {}, (stop) => stops.push(stop));
  [browser, api] = await Promise.all([launchBrowser(), service.startApi()]);
  const producer = await service.createProducer();
  await service.startWorker();
  ({ id: sent } = await producer.submit(charge, "sent", { idempotencyKey: "sent" }));
  const { id: unseen } = await producer.submit(charge, "unseen", { idempotencyKey: "unseen" });
  for (const id of [sent, unseen]) await untilState(producer, id, "failed");
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

describe("what an effect in doubt was seen to send", withProcesses, () => {
  it.each(["desktop", "phone"] as const)(
    "is a sentence on the page of doubts, in the window that resolves one, and on the job's page, on a %s",
    async (device) => {
      const { page, open } = await openConsole(browser, api.url, { viewport: viewports[device] });
      await open("doubts");
      await page.getByText(verdictFirst).first().waitFor();
      await page.getByText("not seen what it sent").first().waitFor();
      const window = page.getByRole("dialog");
      // A row that arrives between finger down and up moves the button away.
      await until("the window is open", async () => {
        if (await window.isVisible()) return true;
        await page.getByRole("button", { name: `Resolve charge of ${sent}` }).click();
        return await window.waitFor({ timeout: 2_000 }).then(
          () => true,
          () => false,
        );
      });
      await window.getByText(verdictFirst).waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);

      await open(`jobs/${sent}`);
      await page.getByText(verdictFirst).waitFor();
      expect(await page.getByText(/4242|a secret/).count()).toBe(0);
      expect(await sidewaysScroll(page)).toBe(0);
    },
  );

  it("is the same sentence on the command line", async () => {
    const [doubts, shown, status] = await Promise.all([
      run(["doubts", "list"], service.env),
      run(["jobs", "show", sent], service.env),
      run(["status", sent], service.env),
    ]);

    expect(doubts.stdout).toMatch(sentence);
    expect(doubts.stdout).toMatch(/nobody saw it.*not seen$/m);
    expect(shown.stdout).toMatch(sentence);
    expect(status.stdout).toMatch(sentence);
    expect(doubts.stdout + shown.stdout + status.stdout).not.toMatch(/4242|a secret/);
  });
});
