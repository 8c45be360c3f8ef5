import type { Api } from "holdfast/server";
import type { Browser, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { launchBrowser } from "../../support/browser.ts";
import { openConsole, untilLoaded } from "../../support/console-page.ts";
import { addFailedCopies } from "../../support/job-copies.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const FAILED = 41_000;
const EVERY = 10_000;
const REQUESTS_MAX = 3;

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;

beforeAll(async () => {
  const server = await startRedisServer({ args: ["--appendonly", "no"] });
  stops.push(server.stop);
  const variables = { REDIS_URL: server.url, HOLDFAST_DURABILITY: "memory" };
  const service = createService(shopIn({ isPartnerDown: false }), variables, (stop) => stops.push(stop));
  [browser, api] = await Promise.all([launchBrowser(), service.startApi()]);
  const { id } = await placeOrder(await service.createProducer(), 1, 0);
  const start = queueKey(service.env.HOLDFAST_PREFIX, "default", "");
  const copies = { count: FAILED, every: EVERY, reason: "PERMANENT_FAILURE: no such address" };
  await addFailedCopies(service.connect(), start, id, copies);
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

interface Requests {
  /** What a page has requested, without its stream. */
  readonly asked: string[];
  readonly open: Set<Request>;
}

function requestsOf(page: Page): Requests {
  const asked: string[] = [];
  const open = new Set<Request>();
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (!/^\/(jobs|failures)/.test(pathname)) return;
    asked.push(pathname + search);
    open.add(request);
  });
  page.on("requestfinished", (request) => open.delete(request));
  page.on("requestfailed", (request) => open.delete(request));
  return { asked, open };
}

/** Whether the page is idle with everything loaded; otherwise there is more for a person to load. */
async function isThrough(page: Page): Promise<boolean> {
  const further = page.getByRole("button", { name: "Search further" });
  if ((await further.count()) === 0) return true;
  expect(await page.getByText(/among the first [\d,]+/).count()).toBeGreaterThan(0);
  await further.click();
  return false;
}

/** Waits until a page makes no more requests by itself. */
async function untilQuiet(page: Page, { asked, open }: Requests): Promise<void> {
  await untilLoaded(page);
  await until("it requests no more", async () => {
    const before = asked.length;
    if (open.size > 0) return false;
    await page.evaluate("new Promise((idle) => requestIdleCallback(idle))");
    return asked.length === before && (await page.getByText("Loading more…").count()) === 0;
  });
}

describe(`the page of one reason, with ${FAILED.toLocaleString("en")} failed jobs`, () => {
  it.each([
    ["PERMANENT_FAILURE", /^5 jobs/],
    ["HANDLER_FAILED", /^(The first )?100 jobs/],
    ["ATTEMPT_TIMED_OUT", /^0 jobs/],
    ["HANDLER_FAILED&messagePattern=it+broke", /^(The first )?100 jobs/],
    ["HANDLER_FAILED&messagePattern=it+is+whole", /^0 jobs/],
  ])("finds jobs that failed with %s, with at most three requests a screen", async (code, text) => {
    const { page, open } = await openConsole(browser, api.url);
    const requests = requestsOf(page);
    const { asked } = requests;

    await open(`failed?type=order-confirmation&code=${code}`);
    do {
      await untilQuiet(page, requests);
      expect(asked.length, asked.join("\n")).toBeLessThanOrEqual(REQUESTS_MAX);
      asked.length = 0;
    } while (!(await isThrough(page)));

    await page.getByText(text).first().waitFor();
  });
});
