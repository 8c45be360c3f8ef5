import { createHash } from "node:crypto";
import type { Api } from "holdfast/server";
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { launchBrowser } from "../../support/browser.ts";
import {
  accessibilityFaults,
  chooseAct,
  openConsole,
  queueRow,
  untilLoaded,
} from "../../support/console-page.ts";
import { ageDoubts } from "../../support/doubts.ts";
import { get } from "../../support/http.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn, trade } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const HOOKS = 5;
const DOUBTS = 12;
const KEY = "operator:read+operate";
const stops: (() => Promise<void>)[] = [];
let api: Api;
let guarded: Api;
let browser: Browser;
let effectKeys: readonly string[];

beforeAll(async () => {
  const application = shopIn({ isPartnerDown: true });
  const service = createService(application, {}, (stop) => stops.push(stop));
  const keys = { HOLDFAST_API_KEYS: `${KEY}:${createHash("sha256").update(KEY).digest("hex")}` };
  const withKeys = createService(application, { ...service.env, ...keys }, (stop) => stops.push(stop));
  [browser, api, guarded] = await Promise.all([launchBrowser(), service.startApi(), withKeys.startApi()]);
  const producer = await service.createProducer();
  const worker = await service.startWorker();
  await trade(producer, { confirmations: 0, invoices: 0, hooks: HOOKS, videos: 0 });
  for (let index = 1; index <= DOUBTS; index += 1) await placeOrder(producer, index * 90);
  effectKeys = await until("all have failed or are in doubt", async () => {
    const { groups } = await ask<{ groups: { count: number }[] }>("failures");
    const { doubts } = await ask<{ doubts: { effectKey: string }[] }>("doubts");
    const failed = groups.reduce((sum, { count }) => sum + count, 0);
    return doubts.length === DOUBTS && failed === HOOKS + DOUBTS && doubts.map((doubt) => doubt.effectKey);
  });
  await worker.stop();
  await ageDoubts(service.connect(), queueKeys(service.env.HOLDFAST_PREFIX, "default"), 3_600_000);
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

async function ask<T>(path: string): Promise<T> {
  const { body } = await get(`${api.url}/${path}`);
  return body as unknown as T;
}

/** The window in which failed hooks are retried. */
async function openRetry() {
  const { page, open } = await openConsole(browser, api.url);
  await open("failed");
  await page.getByRole("button", { name: "Retry all HANDLER_FAILED of partner-webhook" }).click();
  return { page, window: page.getByRole("alertdialog") };
}

const isAct = (url: URL) => url.pathname === "/jobs/acts";

describe("the window of a retry", () => {
  it("claims nothing of workers before the service has accepted it, and loses nothing that was typed", async () => {
    const { page, window } = await openRetry();
    let answer: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route(isAct, async (route) => {
      await asked;
      await route.abort();
    });
    await window.getByLabel("Reason").fill("the shop is back");
    await window.getByLabel(/^At most/).fill("5/s");
    await window.getByRole("button", { name: `Retry ${HOOKS} jobs` }).click();

    await window.getByText("nothing is accepted yet").waitFor();
    expect(await window.getByText(/Workers do it/).count()).toBe(0);
    expect(await window.getByRole("button", { name: "Close" }).count()).toBe(1);
    answer();

    await window.getByText("The service cannot be reached").waitFor();
    expect(await window.getByText(/Workers do it/).count()).toBe(0);
    expect(await window.getByLabel("Reason").inputValue()).toBe("the shop is back");
    expect(await window.getByLabel(/^At most/).inputValue()).toBe("5/s");
  });

  it("keeps the reason where the rate was mistyped", async () => {
    const { window } = await openRetry();
    await window.getByLabel("Reason").fill("the shop is back");
    await window.getByLabel(/^At most/).fill("fast");
    await window.getByLabel(/^At most/).press("Enter");

    await window.getByRole("alert").waitFor();
    expect(await window.getByLabel("Reason").inputValue()).toBe("the shop is back");
    expect(await window.getByRole("button", { name: `Retry ${HOOKS} jobs` }).isEnabled()).toBe(true);
  });

  it("confirms by Enter, and closes while the act goes on, also while the service does not answer", async () => {
    const { page, window } = await openRetry();
    await window.getByLabel("Reason").fill("by Enter");
    await window.getByLabel("Reason").press("Enter");
    await window.getByText("it waits for a worker").waitFor();
    await window.getByText(/Workers do it, also without this window/).waitFor();
    await page.route(isAnyAct, (route) => route.abort());
    await window.getByText("The service does not answer now").waitFor();
    expect(await window.getByText(/Stopped by an error/).count()).toBe(0);
    await page.unroute(isAnyAct);

    await page.keyboard.press("Escape");

    await window.waitFor({ state: "detached" });
    const { acts } = await ask<{ acts: object[] }>("jobs/acts");
    expect(acts).toMatchObject([{ reason: "by Enter", endedAt: null }]);
  });
});

const isAnyAct = (url: URL) => url.pathname.startsWith("/jobs/acts/");

describe("a window that confirms", () => {
  it.each(["light", "dark"] as const)(
    "can be read while it is not ready, in a %s theme",
    async (colorScheme) => {
      const { page, open } = await openConsole(browser, api.url, { colorScheme });
      await open("jobs?state=failed");
      await page.getByRole("button", { name: "Delete all…" }).click();
      const button = page.getByRole("button", { name: "Delete them" });
      await button.waitFor();

      expect(await button.isDisabled()).toBe(true);
      expect(await contrastOf(button)).toBeGreaterThanOrEqual(4.5);
    },
  );

  it("confirms by Enter, in its field or without one", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("");
    await untilLoaded(page);
    const queue = queueRow(page, "media");
    await chooseAct(page, "media", "Pause…");
    await page.getByLabel("Reason").fill("bad deploy 7f3a");
    await page.getByLabel("Reason").press("Enter");
    await queue.getByText("bad deploy 7f3a").waitFor();

    await chooseAct(page, "media", "Resume…");
    await page.getByRole("alertdialog").waitFor();
    await page.keyboard.press("Enter");
    await queue.getByText("bad deploy 7f3a").waitFor({ state: "detached" });
  });
});

describe("a filter by time", () => {
  it("takes an age, which the address keeps and an act fixes when its window opens", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs?state=failed");
    const from = page.getByLabel("Submitted from");
    await from.fill("an hour");
    await from.press("Enter");
    await page.getByText(/^Expected a time such as/).waitFor();
    await from.fill("2h");
    await from.press("Enter");
    await page.waitForURL("**/jobs?state=failed&from=2h");
    await page
      .getByText(`${HOOKS + DOUBTS} jobs`)
      .first()
      .waitFor();

    const asked = page.waitForRequest(
      (request) => request.url().endsWith("/jobs/acts") && request.method() === "POST",
    );
    await page.getByRole("button", { name: "Delete all…" }).click();
    const { filter } = (await asked).postDataJSON() as { filter: { from: string } };
    expect(Date.now() - Date.parse(filter.from)).toBeGreaterThan(7_190_000);
    // Those in doubt stay.
    await page.getByRole("alertdialog").getByText(`${HOOKS} jobs`).waitFor();
    await page.getByRole("button", { name: "Not now" }).click();

    await page.getByLabel("Submitted from").fill("2026-12-01 09:00");
    await page.getByLabel("Submitted from").press("Enter");
    await page.waitForURL(/from=2026-12-01T09%3A00%3A00.000Z/);
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});

describe("the window of an import", () => {
  it.each([1280, 390])("shows what will run again first, whole, at %i pixels", async (width) => {
    const viewport = { width, height: 844 };
    const { page, open } = await openConsole(browser, api.url, { viewport });
    await open("doubts");
    await page.getByRole("button", { name: "Import an export…" }).click();
    const buffer = Buffer.from(`key\n${effectKeys.slice(2).join("\n")}\n`);
    await page.getByLabel("File").setInputFiles({ name: "export.csv", mimeType: "text/csv", buffer });
    await page.getByText("in the export.").waitFor();
    await page.getByLabel(/The export is complete until/).fill(localTime(Date.now() + 60_000));

    const again = page.getByRole("list", { name: "What would run again" }).getByRole("listitem");
    await until("two would run again", async () => (await again.count()) === 2);
    await page.getByText("2 effects are not in it, and run again:").waitFor();
    for (const row of await again.all()) expect(await isInView(row)).toBe(true);
    expect(await page.getByRole("button", { name: "Resolve 10 as done, 2 as not done" }).count()).toBe(1);
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});

describe("a session that ends while a window is open", () => {
  it("asks for the key in the window, which then still has what was typed", async () => {
    const { page } = await openConsole(browser, guarded.url);
    await page.goto(`${guarded.url}/console/doubts`);
    const signIn = async () => {
      await page.getByLabel("Key", { exact: true }).fill(KEY);
      await page.getByLabel("Key", { exact: true }).press("Enter");
    };
    await signIn();
    await page
      .getByRole("button", { name: /^Resolve / })
      .first()
      .click();
    await page.getByText("It happened.").click();
    await page.getByLabel("Evidence").fill("seen in the outbox");
    await page.context().clearCookies();
    await page.getByRole("button", { name: "Resolve as done" }).click();

    const window = page.getByRole("dialog");
    await window.getByLabel("Key", { exact: true }).waitFor();
    expect(await page.getByLabel("Key", { exact: true }).count()).toBe(1);
    expect(await window.getByLabel("Evidence").isVisible()).toBe(false);
    expect(await accessibilityFaults(page)).toEqual([]);
    await signIn();

    await until("the window is back", () => window.getByLabel("Evidence").isVisible());
    expect(await window.getByLabel("Evidence").inputValue()).toBe("seen in the outbox");
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByRole("heading", { name: "In doubt" }).waitFor();
  });
});

/** As a field for an instant has it; the tests' browsers are in UTC. */
function localTime(at: number): string {
  return new Date(at).toISOString().slice(0, 16);
}

/** Whether all of it is on the screen, and inside what scrolls around it. */
async function isInView(row: Locator): Promise<boolean> {
  return await row.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    for (let around = element.parentElement; around !== null; around = around.parentElement) {
      const box = around.getBoundingClientRect();
      const clips = around.scrollHeight > around.clientHeight && around.clientHeight > 0;
      if (clips && (top < box.top || bottom > box.bottom)) return false;
    }
    return top >= 0 && bottom <= element.ownerDocument.documentElement.clientHeight;
  });
}

/** The contrast of a button's text, as WCAG counts it. */
async function contrastOf(button: Locator): Promise<number> {
  const colors = await button.evaluate((element) => {
    const style = element.ownerDocument.defaultView?.getComputedStyle(element);
    return [style?.color ?? "", style?.backgroundColor ?? ""];
  });
  const [light = 0, dark = 0] = colors.map(luminance).sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
