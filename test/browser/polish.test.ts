import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schedulersKey } from "../../src/roles/schedules/scheduler-heartbeat.ts";
import { anyJob } from "../support/application.ts";
import { launchBrowser, viewports } from "../support/browser.ts";
import {
  accessibilityFaults,
  openConsole,
  openTypes,
  queueRow,
  untilLoaded,
} from "../support/console-page.ts";
import { keyEntry } from "../support/keys.ts";
import { applicationOf, createService, untilState } from "../support/service.ts";
import { until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const once = { attempts: 2, backoff: { kind: "fixed", delayMs: 200 } } as const;
const charging = anyJob({ type: "charging", retry: once });
const idle = anyJob({ type: "idle", queue: "aside" });

function askBank(): never {
  throw new Error("the bank closed the connection");
}

const built = anyJob({ type: "built" });
/** As a worker of a checkout's build throws. */
const builtStack = `Error: declined
    at charge (file:///srv/shop/dist/chunks/charge.js:4:9)
    at file:///srv/hf/dist/chunks/holdfast-Y3ZJCYTL.js:2759:34
    at foreign (file:///srv/hf/dist/chunks/holdfast-AVIHHZCQ.js:30:18)
    at underDeadline (file:///srv/hf/dist/chunks/holdfast-BYLKSG76.js:125:18)`;

const application = applicationOf(
  built.handler(async () => {
    throw Object.assign(new Error("declined"), { stack: builtStack });
  }),
  charging.handler(async ({ log }) => {
    log.warn("the bank is slow", { bank: "first" });
    try {
      askBank();
    } catch (cause) {
      throw new Error("the charge of order 41 failed", { cause });
    }
  }),
  idle.handler(async () => null),
);

async function served() {
  const service = createService(application);
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  await service.startWorker();
  const { id } = await producer.submit(charging, 1, { idempotencyKey: "order-41" });
  await untilState(producer, id, "failed");
  const redis = service.connect();
  await redis.zadd(schedulersKey(service.env.HOLDFAST_PREFIX), Date.now() + 3_600_000, "vm:9");
  return { id, url, producer, service };
}

describe("a job's page", () => {
  it("folds the frames of a built checkout, whatever its folder is called", async () => {
    const { url, producer } = await served();
    const { id } = await producer.submit(built, 1, { idempotencyKey: "order-42" });
    await untilState(producer, id, "failed");
    const { page, open } = await openConsole(browser, url);
    await open(`jobs/${id}`);

    const error = page.getByRole("region", { name: "Error" });
    await error.getByText("Whole stack, with 3 frames of Holdfast, packages and Node.js").waitFor();
    expect(await error.locator(".frames li").allTextContents()).toEqual([
      "at charge (file:///srv/shop/dist/chunks/charge.js:4:9)",
    ]);
  });

  it("shows waiting and running as bars, the cause beside the error, and copies", async () => {
    const { id, url } = await served();
    const context = { permissions: ["clipboard-read", "clipboard-write"] };
    const { page, open, complaints } = await openConsole(browser, url, context);
    await open(`jobs/${id}`);

    const bars = page.getByRole("table", { name: "How long each attempt waited and ran" });
    await until("both attempts have bars", async () => (await bars.getByRole("row").count()) === 2);
    await bars
      .getByText(/^waited [1-9][\d.]* m?s, ran/)
      .last()
      .waitFor();
    const waits = bars.locator(".waits").last();
    expect(Number(await waits.getAttribute("width"))).toBeGreaterThan(0);
    const error = page.getByRole("region", { name: "Error" });
    await error.getByText("Error: the bank closed the connection", { exact: true }).waitFor();
    await error.getByText(/^at askBank .*polish\.test\.ts/).waitFor();
    expect(
      await error
        .getByText(/run-attempt\.ts/)
        .first()
        .isVisible(),
    ).toBe(false);
    await error.getByText(/^Whole stack, with \d+ frames of Holdfast, packages and Node\.js$/).click();
    expect(
      await error
        .getByText(/run-attempt\.ts/)
        .first()
        .isVisible(),
    ).toBe(true);
    const two = page.getByRole("region", { name: "Two attempts", exact: true });
    await two.getByText("Two attempts", { exact: true }).click();
    const stacks = two
      .getByRole("row")
      .filter({ hasText: "Stack" })
      .getByText(/at askBank/);
    expect(await stacks.count()).toBe(2);
    expect(await accessibilityFaults(page)).toEqual([]);

    await error.getByRole("button", { name: "Copy: The error" }).click();
    await page.getByText("The error is copied.").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(
      "HANDLER_FAILED: the charge of order 41 failed",
    );
    await page.getByRole("button", { name: "Copy: The id" }).click();
    await page.getByText("The id is copied.").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(id);
    const submitted = page.locator(".timeline time").first();
    expect(await submitted.textContent()).toMatch(/ ago$|^now$/);
    expect(await submitted.getAttribute("title")).toMatch(/\d{4}, \d\d:\d\d:\d\d/);
    expect(complaints).toEqual([]);
  });

  it("has each attempt's log lines below it, by how grave they are, and its code leads to its like", async () => {
    const { id, url } = await served();
    const { page, open, complaints } = await openConsole(browser, url);
    await open(`jobs/${id}`);

    const log = page.getByRole("list", { name: "Log lines" });
    await log.getByText(/^Attempt 2, /).waitFor();
    expect(await log.locator(".log-attempt").allTextContents()).toEqual([
      expect.stringMatching(/^Attempt 1, times in \S+$/),
      expect.stringMatching(/^Attempt 2, times in \S+$/),
    ]);
    expect(await log.locator("li.warn bdi").allTextContents()).toEqual(
      Array.from({ length: 2 }, () => 'the bank is slow {"bank":"first"}'),
    );
    await page.getByRole("region", { name: "Error" }).getByRole("link", { name: "HANDLER_FAILED" }).click();
    await page.waitForURL("**/console/failed?type=charging&code=HANDLER_FAILED");
    expect(complaints).toEqual([]);
  });

  it("says how many submissions a debounced job replaced", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const { url } = await service.startApi();
    const debounce = { key: "order-41", ms: 3_600_000 };
    const { id } = await producer.submit(charging, 1, { idempotencyKey: "first", debounce });
    for (const idempotencyKey of ["second", "third"])
      await producer.submit(charging, 2, { idempotencyKey, debounce });

    const { page, open, complaints } = await openConsole(browser, url);
    await open(`jobs/${id}`);
    await page.getByText("2 earlier submissions", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("the page of failures", () => {
  it("has the message first, and when the jobs failed", async () => {
    const { url } = await served();
    const { page, open } = await openConsole(browser, url);
    await open("failed");

    const link = page.getByRole("link", { name: "the charge of order # failed" });
    await link.waitFor();
    await page.getByRole("img", { name: "1 in the last 24 hours, 1 of them in the last one" }).waitFor();
    await link.click();
    await page.getByRole("heading", { name: "HANDLER_FAILED" }).waitFor();
  });
});

describe("the overview", () => {
  it("groups workers by process, has trouble first, and fades what is nothing", async () => {
    const { url, service } = await served();
    await service.openBareQueue("aside").pause();
    const { page, open } = await openConsole(browser, url);
    await open("");

    const workers = page.getByRole("region", { name: "Workers" });
    await workers.getByText(/^1 worker, \d+ of \d+ slots busy$/).click();
    await workers.getByText("aside").waitFor();
    expect(await workers.locator(".worker-list > li").count()).toBe(1);
    expect(await workers.locator(".worker-load").count()).toBe(2);
    const types = await openTypes(page, "default");
    await until("what failed is known", async () => (await types.locator("a.bad").count()) === 1);
    expect(await types.getByRole("rowheader").allTextContents()).toEqual(["charging", "built"]);
    await types.getByRole("button", { name: "Running" }).click();
    expect(await types.locator("tr", { hasText: "built" }).locator("td:not(.zero)").count()).toBe(0);
    await types.getByRole("button", { name: "Type" }).click();
    expect(await types.getByRole("columnheader").first().getAttribute("aria-sort")).toBe("ascending");
  });

  it("shows on a phone what is not nothing", async () => {
    const { url } = await served();
    const { page, open } = await openConsole(browser, url, { viewport: viewports.phone });
    await open("");
    const queue = queueRow(page, "default");
    await until("its failed job is known", () => queue.locator('td[data-title="Failed, kept"]').isVisible());

    expect(await queue.locator('td[data-title="Waiting, now"]').isVisible()).toBe(false);
  });
});

/** What a finger can miss: buttons, fields and links of the navigation that are lower or narrower than 44 px. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate<
    string[]
  >(`[...document.querySelectorAll("button, select, input:not([type=checkbox]), nav a, summary, .checkbox, .tick")]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().width > 1)
    .filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return Math.round(height) < 44 || Math.round(width) < 44;
    })
    .map((element) => element.outerHTML.slice(0, 120))`);
}

describe("on a phone", () => {
  it("every target is as large as a finger", async () => {
    const { id, url } = await served();
    const { page, open } = await openConsole(browser, url, { viewport: viewports.phone });
    for (const path of ["", "jobs", `jobs/${id}`, "failed", "doubts", "schedules", "acts"]) {
      await open(path);
      await untilLoaded(page);
      expect.soft(await smallTargets(page), path).toEqual([]);
    }
  });
});

describe("Ctrl-K", () => {
  it("goes to a page, a type's jobs or a search from anywhere", async () => {
    const { id, url } = await served();
    const { page, open, complaints } = await openConsole(browser, url);
    await open("jobs");
    const field = page.getByRole("combobox", { name: "Page, job type, or what to search" });
    const go = async (text: string) => {
      // It may still be closing.
      await field.waitFor({ state: "detached" });
      await page.keyboard.press("Control+k");
      await field.fill(text);
    };

    await go("doubt");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "In doubt" }).waitFor();
    await go("charg");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/console/jobs?type=charging");
    await page.getByLabel("Job id or idempotency key").focus();
    await go("a");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/console/search?q=a");
    await go(id);
    await page.getByRole("option", { name: `Search jobs for ${id}` }).click();
    await page.waitForURL(`**/console/jobs/${id}`);
    await go("x");
    await page.keyboard.press("Escape");
    await field.waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });
});

describe("the audit log", () => {
  it("is narrowed by person and time, and saved as a file", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const { queues } = await service.createOperator();
    await queues.pause("default", { reason: "deploy 7f3a", by: "ann@build-1" });
    await queues.pause("aside", { reason: "the bank is away", by: "ops-night" });
    const { page, open, complaints } = await openConsole(browser, url);
    await open("acts?view=log");
    const give = async (label: string, text: string) => {
      await page.getByLabel(label, { exact: true }).fill(text);
      await page.keyboard.press("Enter");
    };
    await page.getByText("deploy 7f3a").waitFor();

    await give("By", "ops-night");
    await give("From", "12h");
    await page.getByText("deploy 7f3a").waitFor({ state: "detached" });
    await page.getByText("the bank is away").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    const saving = page.waitForEvent("download");
    await page.getByRole("link", { name: "Export CSV" }).click();
    const file = await saving;
    expect(file.suggestedFilename()).toBe("audit.csv");
    const saved = await readFile(await file.path(), "utf8");
    expect(saved).toContain("the bank is away");
    expect(saved).not.toContain("deploy 7f3a");

    await give("Before", "12h");
    await page.getByText("Nothing matches.").waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("signing in", () => {
  it("is a page of its own, and leads to what was asked for", async () => {
    const key = keyEntry("reader", "read", "reader-key");
    const { url } = await createService(application, { HOLDFAST_API_KEYS: key }).startApi();
    const { page } = await openConsole(browser, url);
    await page.goto(`${url}/console/acts`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.getByRole("navigation").count()).toBe(0);
    expect(await page.getByRole("searchbox").count()).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.getByLabel("Key").fill("reader-key");
    await page.keyboard.press("Enter");

    await page.getByRole("heading", { name: "Acts" }).waitFor();
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
  });
});
