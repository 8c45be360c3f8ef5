import type { Api } from "holdfast/server";
import type { Redis } from "ioredis";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { launchBrowser, sidewaysScroll, viewports } from "../../support/browser.ts";
import { accessibilityFaults, openConsole } from "../../support/console-page.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let redis: Redis;

beforeAll(async () => {
  const server = await startRedisServer();
  stops.push(server.stop);
  const service = createService(shopIn({ isPartnerDown: false }), { REDIS_URL: server.url }, (stop) =>
    stops.push(stop),
  );
  [browser, api] = await Promise.all([launchBrowser(), service.startApi()]);
  redis = service.connect();
  await placeOrder(await service.createProducer(), 1, 3_600_000);
  await service.startWorker();
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

const config = (setting: string, value: string) => () => redis.config("SET", setting, value);
/** The last one cannot be undone. */
const harms = [
  {
    what: "a requirement is not met",
    harm: config("appendfsync", "everysec"),
    mend: config("appendfsync", "always"),
  },
  { what: "Redis is full", harm: config("maxmemory", "1"), mend: config("maxmemory", "0") },
  { what: "Redis has lost everything", harm: () => redis.flushall(), mend: async () => {} },
];

/** Waits until none of this is said: the parts of a page learn one after the other that work is refused. */
async function untilNothingGood(page: Page): Promise<void> {
  for (const text of ["Live", "All is well", /^Work goes on/, /guarantees hold$/]) {
    await until(
      `"${text}" is not said`,
      async () => (await page.getByText(text, { exact: true }).count()) === 0,
    );
  }
}

/** Both are measured until they fit: the page may grow between two looks. */
async function untilAbove(upper: Locator, lower: Locator): Promise<void> {
  await until("what is refused stands above the queues", async () => {
    const [first, second] = await Promise.all([upper.boundingBox(), lower.boundingBox()]);
    return first !== null && second !== null && first.y + first.height <= second.y;
  });
}

/** The guarantees are one line, which opens by itself when one does not hold, and is then left open. Both are read in one moment. */
async function untilOpenWhereBroken(page: Page): Promise<void> {
  const guarantees = page.getByRole("region", { name: "Guarantees" });
  await until("the guarantees are open if one does not hold", () =>
    guarantees.evaluate(
      (region) =>
        !/\d+ of \d+ do(es)? not hold/.test(region.textContent) ||
        (region.querySelector("li")?.checkVisibility() ?? false),
    ),
  );
}

describe.each(["desktop", "phone"] as const)("the console on a %s", (device) => {
  it.each(harms.slice(0, device === "desktop" ? 2 : 3))(
    "says first that $what, with the remedy, and nothing good",
    async ({ harm, mend }) => {
      const { page, open } = await openConsole(browser, api.url, { viewport: viewports[device] });
      await open("");
      await page.getByText("10 guarantees hold", { exact: true }).waitFor();

      await harm();
      onTestFinished(async () => void (await mend()));

      const problems = page
        .getByRole("region", { name: "Needs attention" })
        .filter({ hasText: "Work is refused" });
      await problems.waitFor();
      await problems.getByText("Remedy:").first().waitFor();
      await untilNothingGood(page);
      await untilOpenWhereBroken(page);
      const queues = page.getByRole("region", { name: "Queues", exact: true });
      await untilAbove(problems, queues);
      expect(await sidewaysScroll(page)).toBe(0);
      expect(await accessibilityFaults(page)).toEqual([]);

      await page.getByRole("link", { name: "Schedules" }).click();
      await page.getByText("Work is refused.", { exact: true }).waitFor();
      await page.getByRole("link", { name: /^\d+ problems?$/ }).click();
      await problems.waitFor();
      await untilNothingGood(page);
    },
  );
});
