import type { Api } from "holdfast/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { accessibilityFaults, openConsole, untilLoaded } from "../support/console-page.ts";
import { get } from "../support/http.ts";
import { createService } from "../support/service.ts";
import { shopIn } from "../support/shop.ts";

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;

beforeAll(async () => {
  const service = createService(shopIn({ isPartnerDown: false }), {}, (stop) => stops.push(stop));
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
        await page.getByRole("button", { name: "Limit…" }).first().click();
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

  it.each([1280, 390])("are paused with a reason, and resumed, at %i pixels", async (width) => {
    const { page, open, complaints } = await openConsole(browser, api.url, {
      viewport: { width, height: 800 },
    });
    await open("");
    await untilLoaded(page);
    // Of one queue: an overview up to 2 s old can still show another test's pause.
    const queue = page.getByRole("region", { name: "Queues, table" }).locator("tr", { hasText: "default" });

    await queue.getByRole("button", { name: "Pause…" }).click();
    await page.getByLabel("Reason").fill("bad deploy 7f3a");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await queue.getByText("bad deploy 7f3a").waitFor();
    expect(JSON.stringify((await get(`${api.url}/queues`)).body)).toContain("7f3a");

    await queue.getByRole("button", { name: "Resume…" }).click();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await queue.getByText("bad deploy 7f3a").waitFor({ state: "detached" });
    expect(JSON.stringify((await get(`${api.url}/queues`)).body)).not.toContain("7f3a");
    expect(complaints).toEqual([]);
  });
});
