import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startMailbox } from "../../dev/mailbox/start-mailbox.ts";
import { application } from "../support/application.ts";
import { createService } from "../support/service.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      // A rebound name after its owner changed the DNS, as the browser sees it.
      "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP jobs.example 127.0.0.1",
    ],
  });
});
afterAll(() => browser.close());

/** Opens a server under the attacker's name, so that its pages have the same origin. */
async function openAsEvil(url: string): Promise<{ page: Page; status: number | undefined }> {
  const page = await browser.newPage();
  const evil = new URL(url);
  evil.hostname = "evil.example";
  const response = await page.goto(evil.href);
  return { page, status: response?.status() };
}

const tryAll = `(async () => {
  const json = { "content-type": "application/json" };
  const submission = JSON.stringify({ type: "anything", payload: 1, idempotencyKey: "rebound" });
  const answers = {};
  for (const [name, path, init] of [
    ["list", "/jobs"],
    ["stream", "/overview", { headers: { accept: "text/event-stream" } }],
    ["reference", "/openapi.json"],
    ["metrics", "/metrics"],
    ["submit", "/jobs", { method: "POST", headers: json, body: submission }],
    ["cancel", "/jobs/ID/cancel", { method: "POST" }],
    ["accept a loss", "/store/accept-loss", { method: "POST", headers: json, body: '{"evidence":"none"}' }],
    ["nowhere", "/nowhere"],
  ]) {
    const response = await fetch(path, init);
    answers[name] = response.status;
  }
  return answers;
})()`;

describe("a page whose name was rebound to this machine", () => {
  it("can neither read nor do anything", async () => {
    const service = createService(application);
    const api = await service.startApi();
    const { page, status } = await openAsEvil(`${api.url}/console/`);

    expect(status).toBe(421);
    const answers = await page.evaluate<Record<string, number>>(tryAll);
    expect(Object.keys(answers)).toHaveLength(8);
    expect(new Set(Object.values(answers))).toEqual(new Set([421]));
    const { jobs } = (await (await fetch(`${api.url}/jobs`)).json()) as { jobs: unknown[] };
    expect(jobs).toEqual([]);
    await page.close();
  });

  it("cannot read the development mailbox either", async () => {
    const directory = await mkdtemp(join(tmpdir(), "holdfast-mailbox-"));
    const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
    const { page, status } = await openAsEvil(mailbox.pageUrl);

    expect(status).toBe(421);
    expect(await page.textContent("body")).toContain("HOLDFAST_ALLOWED_HOSTS");
    await page.close();
    await mailbox.stop();
    await rm(directory, { recursive: true });
  });
});

describe("a page of another site, over plain HTTP", () => {
  it("cannot change anything in a service without keys", async () => {
    const service = createService(application, { HOLDFAST_ALLOWED_HOSTS: "jobs.example" });
    const api = await service.startApi();
    const site = createServer((_request, response) => response.end("<h1>evil</h1>")).listen(0, "127.0.0.1");
    onTestFinished(() => void site.close());
    await once(site, "listening");
    const { page } = await openAsEvil(`http://127.0.0.1:${(site.address() as AddressInfo).port}`);
    const target = new URL("/store/accept-loss", api.url);
    target.hostname = "jobs.example";

    const answered = page.waitForResponse(target.href);
    await page.evaluate(`fetch("${target.href}", { method: "POST", mode: "no-cors" })`);

    expect((await answered).status()).toBe(403);
    await page.close();
  });
});
