import type { Producer } from "holdfast";
import type { Api } from "holdfast/server";
import type { Redis } from "ioredis";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cutTexts, launchBrowser, sidewaysScroll, viewports } from "../../support/browser.ts";
import { accessibilityFaults, openConsole, openTypes } from "../../support/console-page.ts";
import { writePast } from "../../support/past.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn, trade } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let client: Redis;
let producer: Producer;
let prefix: string;

beforeAll(async () => {
  const service = createService(
    shopIn({ isPartnerDown: true }),
    { HOLDFAST_CONCURRENCY: "20,media=3", HOLDFAST_STOP_GRACE_MS: "100" },
    (stop) => stops.push(stop),
  );
  prefix = service.env.HOLDFAST_PREFIX;
  client = service.connect();
  await writePast(client, prefix, 47, [
    { queue: "default", type: "order-confirmation", perMinute: 90, runMs: 85, failed: 0.002 },
    { queue: "default", type: "partner-webhook", perMinute: 20, runMs: 420, failed: 0.11 },
    { queue: "documents", type: "invoice-pdf", perMinute: 12, runMs: 2_600, failed: 0.01 },
  ]);
  // Before the worker's own mark: the ids of a stream only grow.
  const pause = ["kind", "paused", "text", "the mail provider is down", "by", "ops-night"];
  await client.xadd(`${prefix}:{default}:history:marks`, `${Date.now() - 240 * 60_000}-1`, ...pause);
  [api, producer, browser] = await Promise.all([
    service.startApi(),
    service.createProducer(),
    launchBrowser(),
    service.startWorker(),
  ]);
  await trade(producer, { confirmations: 200, invoices: 50, hooks: 20, videos: 12 });
}, 60_000);

afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

describe("the overview's history", () => {
  it("has a full chart although nobody watched, over a chosen time that the address keeps", async () => {
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("");

    const chart = page.getByRole("img", { name: /^Jobs a second over the last 2 h 5\d min/ });
    await chart.waitFor();
    await page.getByRole("button", { name: "24 h" }).click();
    await page.getByRole("img", { name: /^Jobs a second over the last 23 h/ }).waitFor();

    expect(new URL(page.url()).searchParams.get("range")).toBe("24h");
    await page.reload();
    await page.getByRole("img", { name: /^Jobs a second over the last 23 h/ }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("names the marks in the chart", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("?range=24h");

    await page.getByText(/^\d marks?: /).click();

    await page.getByText(/Workers started default/).waitFor();
    await page.getByText(/Paused default: the mail provider is down by ops-night/).waitFor();
  });

  it("shows the types of a queue, and sorts them by what one looks for", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("");
    const table = await openTypes(page, "default");
    await table.waitFor();
    const rows = () => table.getByRole("rowheader").allTextContents();
    // The one with the most trouble.
    expect((await rows())[0]).toBe("partner-webhook");

    await table.getByRole("button", { name: "Type" }).click();

    expect((await rows())[0]).toBe("order-confirmation");
    await table.getByRole("button", { name: "Failed" }).click();
    expect((await rows())[0]).toBe("partner-webhook");
    await table.getByRole("button", { name: "Completed/s" }).click();
    expect((await rows())[0]).toBe("order-confirmation");
    await table.getByRole("button", { name: "Run p99" }).click();
    expect((await rows())[0]).toBe("partner-webhook");
  });

  it("folds workers away that are gone, and still shows jobs that they run", async () => {
    const longAgo = Date.now() - 120_000;
    const beat = JSON.stringify({ startedAt: longAgo, concurrency: 3, running: 0, claimedAt: null });
    const key = `${prefix}:{default}:workers`;
    for (const name of ["gone-host:1", "gone-host:2"]) {
      await client.hset(key, name, beat);
      await client.zadd(`${key}:seen`, longAgo, name);
    }
    const { page, open } = await openConsole(browser, api.url);
    await open("");

    await page.getByText(/^1 worker, \d+ of \d+ slots busy$/).click();
    await page.getByText("2 workers without a heartbeat, and without jobs").click();
    await page.getByText("gone-host:1").waitFor();

    // As if the worker had stopped while a job ignored its signal.
    const media = `${prefix}:{media}:workers`;
    const [worker = ""] = await client.hkeys(media);
    await until("the worker is forgotten", async () => {
      await client.hdel(media, worker);
      await client.zrem(`${media}:seen`, worker);
      return (await page.getByText("stopped: another worker gets its jobs").count()) === 1;
    });
    await page.getByText("Runs 3 jobs").waitFor();
  });

  it.each(["desktop", "phone"] as const)("fits on a %s, and is accessible", async (device) => {
    await placeOrder(producer, 90_001, 3_600_000);
    const { page, open } = await openConsole(browser, api.url, { viewport: viewports[device] });
    await open("");
    await page.getByRole("img", { name: /^Jobs a second/ }).waitFor();
    await openTypes(page, "default");

    expect(await sidewaysScroll(page)).toBe(0);
    expect(await cutTexts(page)).toEqual([]);
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});
