import { createHash, randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import application from "../../holdfast.config.ts";
import { type Api, startApi } from "../../src/http/start-api.ts";
import { launchBrowser, sidewaysScroll, viewports } from "../support/browser.ts";

let browser: Browser;
let api: Api;
let page: Page;

beforeAll(async () => {
  browser = await launchBrowser();
  api = await start();
});
afterAll(async () => {
  await browser.close();
  await api.stop();
});
afterEach(() => page.context().close());

function start(more: Record<string, string> = {}): Promise<Api> {
  return startApi(application, {
    REDIS_URL: inject("redisUrl"),
    HOLDFAST_PREFIX: `reference-${randomUUID()}`,
    HOLDFAST_PORT: "0",
    HOLDFAST_LOG_LEVEL: "silent",
    ...more,
  });
}

/** Collects the page's complaints, and its fetches from other origins. */
function watchComplaints(): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== api.url) complaints.push(`fetched ${request.url()}`);
  });
  return complaints;
}

async function openReference(url = api.url): Promise<void> {
  await page.goto(`${url}/docs`);
  await page.locator(".opblock").first().waitFor();
}

/** All operations that the page shows, such as `GET /jobs`. */
async function operationsShown(): Promise<string[]> {
  const blocks = await page.locator(".opblock").all();
  const names = blocks.map(async (block) => {
    const method = await block.locator(".opblock-summary-method").textContent();
    const path = await block.locator(".opblock-summary-path").getAttribute("data-path");
    return `${method} ${path}`;
  });
  return (await Promise.all(names)).sort();
}

/** All operations in `/openapi.json`. */
async function operationsDescribed(): Promise<string[]> {
  const response = await fetch(`${api.url}/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, object> };
  return Object.entries(paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();
}

describe.each(["desktop", "phone"] as const)("the reference on a %s", (device) => {
  beforeEach(async () => {
    page = await (await browser.newContext({ viewport: viewports[device] })).newPage();
  });

  it("shows every operation within the screen's width, without complaints and without fetches from elsewhere", async () => {
    const complaints = watchComplaints();
    await openReference();

    expect(await operationsShown()).toEqual(await operationsDescribed());
    expect(await operationsShown()).toEqual(expect.arrayContaining(["POST /jobs", "GET /jobs/{id}/status"]));
    expect(await sidewaysScroll(page)).toBe(0);

    const jobs = page.locator(".opblock-tag-section").first();
    const summaries = await jobs.locator(".opblock-summary-control").all();
    for (const summary of summaries) await summary.click();
    await expect.poll(() => jobs.locator(".opblock-body").count()).toBe(summaries.length);

    expect(await sidewaysScroll(page)).toBe(0);
    expect(complaints).toEqual([]);
  });
});

describe("the reference", () => {
  beforeEach(async () => {
    page = await browser.newPage();
  });

  it("submits its example unchanged", async () => {
    const complaints = watchComplaints();
    await openReference();
    await page.locator(".opblock-post .opblock-summary-control").first().click();

    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();

    const response = page.locator(".live-responses-table tbody");
    await response.waitFor();
    expect(await response.locator(".response-col_status").textContent()).toContain("202");
    expect(await response.textContent()).toContain('"idempotencyKey": "signup-42"');
    expect(complaints).toEqual([]);
  });

  it("can be read without a key even if keys are required", async () => {
    const sha256 = createHash("sha256").update("secret").digest("hex");
    const guarded = await start({ HOLDFAST_API_KEYS: `shop:submit:${sha256}` });
    try {
      await openReference(guarded.url);

      expect(await operationsShown()).toEqual(await operationsDescribed());
    } finally {
      await guarded.stop();
    }
  });
});
