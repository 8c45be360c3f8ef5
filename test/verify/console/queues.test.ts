import type { Api } from "holdfast/server";
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../../support/browser.ts";
import {
  accessibilityFaults,
  chooseAct,
  openConsole,
  openTypes,
  queueRow,
  untilLoaded,
} from "../../support/console-page.ts";
import { get, post } from "../../support/http.ts";
import { createService, type Service } from "../../support/service.ts";
import { placeOrder, shopIn } from "../../support/shop.ts";

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let service: Service;

beforeAll(async () => {
  service = createService(shopIn({ isPartnerDown: false }), {}, (stop) => stops.push(stop));
  [browser, api] = await Promise.all([launchBrowser(), service.startApi()]);
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

describe("the queues of the overview", () => {
  it.each([1280, 390])(
    "are limited in place of what the application declares, at %i pixels",
    async (width) => {
      const { page, open, complaints } = await openConsole(browser, api.url, {
        viewport: { width, height: 800 },
      });
      await open("");
      await untilLoaded(page);
      const limit = async (concurrency: string) => {
        await chooseAct(page, "default", "Limit…");
        await page.getByLabel("How many jobs run at a time").fill(concurrency);
        await page.getByRole("button", { name: "Limit", exact: true }).click();
      };

      await limit("none");
      await page.getByRole("alert").waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);
      await page.getByRole("button", { name: "Not now" }).click();
      await limit("7");
      await page.getByText("limited: at most 7 at a time").waitFor();
      expect(JSON.stringify((await get(`${api.url}/queues`)).body)).toContain('"concurrency":7');
      await limit("");
      await page.getByText("limited as declared").waitFor();
      expect(JSON.stringify((await get(`${api.url}/queues`)).body)).not.toContain('"concurrency":7');
      expect(complaints.filter((text) => !text.includes("400"))).toEqual([]);
    },
  );

  it("say whose jobs they have, and pause one type, which is named until it is let go", async () => {
    await placeOrder(await service.createProducer(), 70_001);
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("");
    await untilLoaded(page);
    await chooseAct(page, "default", "Types and keys…");
    const window = page.getByRole("dialog", { name: "Who has jobs in default?" });
    await window.getByRole("region", { name: "By type" }).getByText("order-confirmation").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await window.getByRole("button", { name: "Pause or limit type order-confirmation" }).click();
    await window.getByLabel("Reason").fill("the mail provider is down");
    expect(await accessibilityFaults(page)).toEqual([]);
    await window.getByRole("button", { name: "Pause", exact: true }).click();

    const needs = page.getByRole("region", { name: "Needs attention" });
    await needs.getByText("type order-confirmation of default is paused").waitFor();
    await needs.getByText("the mail provider is down").waitFor();
    expect(JSON.stringify((await get(`${api.url}/queues`)).body)).toContain('"type":"order-confirmation"');
    await needs.getByRole("button", { name: "Let type order-confirmation of default go" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Let go" }).click();
    await needs.getByText("type order-confirmation of default is paused").waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });

  it("are not resumed by a window that asked whether to pause", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("");
    await untilLoaded(page);
    await chooseAct(page, "default", "Pause…");
    const window = page.getByRole("alertdialog", { name: "Pause default?" });
    await window.getByLabel("Reason").fill("mine");
    await post(`${api.url}/queues/default/pause`, { reason: "somebody else's" });

    await window.getByText("Somebody has paused default meanwhile.").waitFor();
    expect(await window.getByRole("button", { name: "Pause", exact: true }).isDisabled()).toBe(true);
    await page.keyboard.press("Enter");
    await window.getByRole("button", { name: "Not now" }).click();
    const { body } = await get(`${api.url}/queues`);
    expect(JSON.stringify(body)).toContain("somebody else's");
    await post(`${api.url}/queues/default/resume`, undefined);
    await queueRow(page, "default").getByText("paused", { exact: true }).waitFor({ state: "detached" });
  });

  it.each([1280, 390])("are paused with a reason, and resumed, at %i pixels", async (width) => {
    const { page, open, complaints } = await openConsole(browser, api.url, {
      viewport: { width, height: 800 },
    });
    await open("");
    await untilLoaded(page);
    // Of one queue: an overview up to 2 s old can still show another test's pause.
    const queue = queueRow(page, "default");

    await chooseAct(page, "default", "Pause…");
    await page.getByLabel("Reason").fill("bad deploy 7f3a");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await queue.getByText("bad deploy 7f3a").waitFor();
    expect(JSON.stringify((await get(`${api.url}/queues`)).body)).toContain("7f3a");

    await chooseAct(page, "default", "Resume…");
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await queue.getByText("bad deploy 7f3a").waitFor({ state: "detached" });
    expect(JSON.stringify((await get(`${api.url}/queues`)).body)).not.toContain("7f3a");
    expect(complaints).toEqual([]);
  });
});

describe("a queue that is resumed slowly", () => {
  it("says so, what is wrong about its time once, and is at full speed when somebody asks for that", async () => {
    await post(`${api.url}/queues/default/pause`, { reason: "the provider is down" });
    const { page, open } = await openConsole(browser, api.url);
    await open("");
    await untilLoaded(page);
    const queue = queueRow(page, "default");
    const resume = page.getByRole("button", { name: "Resume", exact: true });
    await chooseAct(page, "default", "Resume…");
    await page.getByLabel("Over how long").fill("2d");
    await resume.click();
    const problem = (await page.getByRole("alert").textContent()) ?? "";
    expect(problem.split("expected a time of 1 s to 24 h")).toHaveLength(2);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByLabel("Over how long").fill("1h");
    await resume.click();
    await queue.getByText("ramping up", { exact: true }).waitFor();

    await chooseAct(page, "default", "Full speed…");
    await page.getByRole("button", { name: "Full speed", exact: true }).click();
    await queue.getByText("ramping up", { exact: true }).waitFor({ state: "detached" });
    const { body } = await get(`${api.url}/queues`);
    expect(body.queues).toContainEqual(
      expect.objectContaining({ name: "default", ramp: null, paused: null }),
    );

    await post(`${api.url}/queues/default/resume`, { over: "1h" });
    await chooseAct(page, "default", "Full speed…");
    await post(`${api.url}/queues/default/pause`, { reason: "somebody else's" });
    await page.getByText("It is at full speed, or paused, meanwhile.").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Not now" }).click();
    expect(JSON.stringify((await get(`${api.url}/queues`)).body)).toContain("somebody else's");
    await post(`${api.url}/queues/default/resume`, undefined);
    await queue.getByText("paused", { exact: true }).waitFor({ state: "detached" });
  });
});

describe("the numbers of the overview", () => {
  it("say of when they are, and the same number is the same everywhere", async () => {
    const { id } = await placeOrder(await service.createProducer(), 1, 3_600_000);
    await post(`${api.url}/jobs/${id}/cancel`, {});
    const { page, open } = await openConsole(browser, api.url);
    await open("");
    await untilLoaded(page);
    const headings = async (table: Locator) =>
      (await table.getByRole("columnheader").allTextContents()).map(inOneLine);
    const cell = (title: string) => queueRow(page, "default").locator(`[data-title="${title}"]`);
    await cell("Cancelled, kept").getByText("1", { exact: true }).waitFor();
    await open("");
    await cell("Cancelled, kept").waitFor();
    const queues = await headings(page.getByRole("region", { name: "Queues, table" }));
    const types = await headings(await openTypes(page, "default"));

    expect(types).toEqual(
      expect.arrayContaining(["Failed last hour", "In doubt last hour", "Completed/s last 5 min"]),
    );
    expect(queues).toEqual(expect.arrayContaining(["Cancelled kept", "Completed/s last 10 s"]));
    // Nothing has failed, and a cancelled job is no failure.
    expect(queues).not.toContain("Failed kept");
    expect(await page.getByRole("link", { name: /^Failed/ }).textContent()).toBe("Failed");
    expect(await page.getByText(/ha(s|ve) failed/).count()).toBe(0);
  });

  it("show a queue without a worker, and one that is limited", async () => {
    const { page, open } = await openConsole(browser, api.url, { viewport: { width: 390, height: 844 } });
    await (await service.createOperator()).queues.limit(
      "media",
      { rate: { count: 1, perMs: 3_600_000 } },
      "ann",
    );
    await open("");
    const queue = queueRow(page, "media");

    await queue.getByText("no worker", { exact: true }).waitFor();
    await queue.getByText("1/1h by ann").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});

describe("a schedule that no scheduler serves", () => {
  it("does not promise its next tick", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("schedules");
    const row = page.locator("tr.schedule", { hasText: "stock-sync" });

    await row.getByText("no scheduler", { exact: true }).waitFor();
    expect(await row.getByText(/^in \d+ (s|min|h)$/).count()).toBe(0);
    await page.getByRole("button", { name: "More of stock-sync" }).click();
    await page.getByText(/No scheduler runs/).waitFor();
  });
});

function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").replace(" ↑", "").trim();
}
