import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Producer } from "holdfast";
import type { Api } from "holdfast/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { launchBrowser, viewports } from "../support/browser.ts";
import { openConsole, untilLoaded } from "../support/console-page.ts";
import { ranBySchedule } from "../support/ran-by-schedule.ts";
import { createService } from "../support/service.ts";
import { placeOrder, shopIn, trade } from "../support/shop.ts";
import { until } from "../support/until.ts";

/** Where to put the pictures. */
const folder = process.env.CONSOLE_PICTURES ?? "docs/console";

/** How long orders come in before the pictures, so that the chart has data. */
const TRADED_MS = 150_000;
const BEAT_MS = 500;
const timeout = 600_000;

const screens = Object.keys(viewports).flatMap((device) =>
  (["light", "dark"] as const).map((colorScheme) => ({
    device: device as keyof typeof viewports,
    colorScheme,
  })),
);

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let producer: Producer;

describe("pictures of the console", { timeout }, () => {
  beforeAll(async () => {
    const service = createService(
      shopIn({ isPartnerDown: true }),
      { HOLDFAST_CONCURRENCY: "20,media=3", HOLDFAST_STOP_GRACE_MS: "100" },
      (stop) => stops.push(stop),
    );
    browser = await launchBrowser();
    api = await service.startApi();
    producer = await service.createProducer();
    await Promise.all([service.startWorker(), mkdir(folder, { recursive: true })]);
    await trade(producer, { confirmations: 3_600, invoices: 900, hooks: 37, videos: 58 });
    await ranBySchedule(producer);
    await Promise.all(
      Array.from({ length: 24 }, (_, index) => placeOrder(producer, 60_000 + index, 7_200_000)),
    );
    await until("the day's work is done", async () => (await waitingOrders()).length === 0);
    await ask("overview"); // measures from here on
    await takeOrders(TRADED_MS);
  }, timeout);
  afterAll(async () => {
    await browser.close();
    for (const stop of stops) await stop();
  });

  it.each(screens)("shows every page on a $device, $colorScheme", async ({ device, colorScheme }) => {
    const viewport = viewports[device];
    const { page, open } = await openConsole(browser, api.url, {
      viewport,
      colorScheme,
      timezoneId: "Europe/Berlin",
    });
    const take = (name: string) =>
      page.screenshot({
        path: join(folder, `${name}-${device}-${colorScheme}.png`),
        fullPage: true,
        animations: "disabled",
      });
    for (const [name, path] of await everyPage()) {
      await open(path);
      await untilLoaded(page);
      await take(name);
    }
    await openRetry(page, open);
    await take("retry");
    await openSettling(page, open);
    await take("resolve");
  });
});

/** Orders arrive at a varying rate. */
async function takeOrders(forMs: number): Promise<void> {
  const end = performance.now() + forMs;
  let order = 70_000;
  for (let beat = 0; performance.now() < end; beat += 1) {
    const orders = Math.round(20 + 11 * Math.sin(beat / 30) + 5 * Math.sin(beat / 9) + 4 * Math.random());
    const placed = Array.from({ length: orders }, (_, index) => placeOrder(producer, order + index));
    await Promise.all([...placed, sleep(BEAT_MS)]);
    order += orders;
  }
}

async function everyPage(): Promise<[name: string, path: string][]> {
  const { doubts } = await ask<{ doubts: { jobId: string }[] }>("doubts?limit=1");
  const { groups } = await ask<{ groups: { type: string; exampleId: string }[] }>("failures");
  const failed = groups.find(({ type }) => type === "partner-webhook");
  return [
    ["overview", ""],
    ["jobs", "jobs?type=order-confirmation"],
    ["job", `jobs/${failed?.exampleId}`],
    ["job-in-doubt", `jobs/${doubts[0]?.jobId}`],
    ["failed", "failed"],
    ["failed-reason", "failed?type=partner-webhook&code=HANDLER_FAILED"],
    ["doubts", "doubts"],
    ["schedules", "schedules"],
  ];
}

async function waitingOrders(): Promise<unknown[]> {
  return (await ask<{ jobs: unknown[] }>("jobs?state=waiting&type=order-confirmation&limit=1")).jobs;
}

async function openRetry(page: Page, open: (path: string) => Promise<void>): Promise<void> {
  await open("failed");
  await page.getByRole("button", { name: /^Retry all \d/ }).click();
  await page.getByRole("alertdialog").waitFor();
}

async function openSettling(page: Page, open: (path: string) => Promise<void>): Promise<void> {
  await open("doubts");
  await page.getByRole("button", { name: "Resolve" }).first().click();
  await page.getByText("It happened.").click();
  await page.getByLabel("Evidence").fill("The customer has forwarded us the mail.");
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${api.url}/${path}`);
  return (await response.json()) as T;
}
