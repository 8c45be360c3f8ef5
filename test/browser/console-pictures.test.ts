import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Api, Producer } from "holdfast";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { launchBrowser, viewports } from "../support/browser.ts";
import { createService } from "../support/service.ts";
import { placeOrder, ranBySchedule, shopIn, trade } from "../support/shop.ts";

const folder = process.env.CONSOLE_PICTURES;

/** So long it is traded before the pictures, so that the chart has something to show. */
const TRADED_MS = Number(process.env.CONSOLE_TRADED_MS ?? 90_000);

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let producer: Producer;

describe.skipIf(folder === undefined)("pictures of the console", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    const service = createService(
      shopIn({ isPartnerDown: true }),
      { HOLDFAST_CONCURRENCY: "20,media=3" },
      (stop) => stops.push(stop),
    );
    browser = await launchBrowser();
    api = await service.startApi();
    await service.startWorker();
    producer = await service.createProducer();
    await trade(producer, { confirmations: 3_600, invoices: 900, hooks: 37, videos: 58 });
    await ranBySchedule(producer);
    for (let order = 60_000; order < 60_024; order += 1) await placeOrder(producer, order, 7_200_000);
    await tradeOn(TRADED_MS);
  }, 300_000);
  afterAll(async () => {
    await browser.close();
    for (const stop of stops) await stop();
  });

  it("shows every page, on two screens and in two themes", async () => {
    await mkdir(folder!, { recursive: true });
    const [doubt] = await read("/doubts?limit=1", "doubts");
    const [failed] = await read("/jobs?state=failed&type=partner-webhook&limit=1", "jobs");
    const pages = [
      ["overview", ""],
      ["jobs", "jobs"],
      ["job", `jobs/${failed.id}`],
      ["job-in-doubt", `jobs/${doubt.jobId}`],
      ["failed", "failed"],
      ["failed-reason", "failed?type=partner-webhook&code=HANDLER_FAILED"],
      ["doubts", "doubts"],
      ["schedules", "schedules"],
    ];
    for (const [device, viewport] of Object.entries(viewports)) {
      for (const colorScheme of ["light", "dark"] as const) {
        const context = await browser.newContext({ viewport, colorScheme, timezoneId: "Europe/Berlin" });
        const page = await context.newPage();
        for (const [name, path] of pages) {
          await page.goto(`${api.url}/console/${path}`);
          await page.locator("h1").waitFor();
          await page.getByText("Live", { exact: true }).waitFor();
          await page.waitForLoadState("load");
          await page.waitForTimeout(600);
          await page.screenshot({
            path: join(folder!, `${name}-${device}-${colorScheme}.png`),
            fullPage: true,
          });
        }
        await context.close();
      }
    }
  });
});

/** Orders come, now more, now fewer. */
async function tradeOn(forMs: number): Promise<void> {
  const end = Date.now() + forMs;
  for (let order = 50_000, beat = 0; Date.now() < end; beat += 1) {
    const orders = Math.round(20 + 12 * Math.sin(beat / 18) + 8 * Math.sin(beat / 5) + 5 * Math.random());
    const placed = Array.from({ length: orders }, (_, index) => placeOrder(producer, order + index));
    await Promise.all([...placed, new Promise((resolve) => setTimeout(resolve, 500))]);
    order += orders;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what the service answers
async function read(path: string, name: string): Promise<any[]> {
  const response = await fetch(`${api.url}${path}`);
  return ((await response.json()) as Record<string, never[]>)[name] ?? [];
}
