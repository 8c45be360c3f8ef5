import { createClient } from "holdfast/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cutTexts, launchBrowser, sidewaysScroll, viewports } from "../support/browser.ts";
import { accessibilityFaults, chooseAct, openConsole } from "../support/console-page.ts";
import { everySecond, stage } from "../support/stored-schedules.ts";
import { until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function served() {
  const { url } = await stage().startApi();
  return { url, client: createClient({ url }), ...(await openConsole(browser, url)) };
}

describe("the page of schedules", () => {
  it("puts a schedule, says at the field what the service refuses, changes it and deletes it", async () => {
    const { client, page, open, complaints } = await served();
    await open("schedules");
    await page.getByRole("button", { name: "New schedule…" }).click();
    const window = page.getByRole("dialog");
    const put = window.getByRole("button", { name: "Put it" });
    expect(await put.isDisabled()).toBe(true);
    await window.getByLabel("Name").fill("declared");
    await window.getByLabel("Cron:").fill("0 7 * * *");
    await put.click();
    await window.getByText("there is a schedule with this name: change it instead").waitFor();

    await window.getByLabel("Name").fill("acme-daily");
    await window.getByLabel("Cron:").fill("0 0 30 2 *");
    await window.getByLabel("Time zone").fill("Europe/Atlantis");
    await put.click();
    await window.getByText("It is not put").waitFor();
    expect(await window.getByLabel("Time zone").getAttribute("aria-invalid")).toBe("true");
    await window.getByLabel("Time zone").fill("Europe/Berlin");
    await put.click();
    await until("the cron is refused", async () => {
      return (await window.getByLabel("Cron:").getAttribute("aria-invalid")) === "true";
    });
    await window.getByLabel("Cron:").fill("0 7 * * *");
    await put.click();
    await window.getByText(/^\/tenant: /).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await window.getByLabel("Payload").fill("{");
    await window.getByText("This is not JSON.").waitFor();
    expect(await put.isDisabled()).toBe(true);
    await window.getByLabel("Payload").fill('{"tenant": "acme"}');
    await window.getByLabel("Ticks that no scheduler").selectOption("all");
    await window.getByLabel("At most").fill("1001");
    await put.click();
    await until("the number is refused", async () => {
      return (await window.getByLabel("At most").getAttribute("aria-invalid")) === "true";
    });
    await window.getByLabel("At most").fill("24");
    await window.getByLabel("Not those older than").fill("90 min");
    await window.getByLabel("While an earlier").selectOption("skip");
    await window.getByLabel("First tick from").fill("2027-01-01T00:00");
    await put.click();

    await page.getByText("acme-daily is put, version 1.").waitFor();
    const definition = {
      type: "report",
      cron: "0 7 * * *",
      timeZone: "Europe/Berlin",
      payload: { tenant: "acme" },
      catchUp: { mode: "all", max: 24, windowMs: 90 * 60_000 },
      overlap: "skip",
      startsAt: "2027-01-01T00:00:00.000Z",
    } as const;
    expect(await client.scheduleDefinition("acme-daily")).toEqual(definition);

    await page.getByRole("button", { name: "More of acme-daily" }).click();
    await page.getByText("put at run time, version 1").waitFor();
    await chooseAct(page, "acme-daily", "Change…");
    expect(await window.getByLabel("Not those older than").inputValue()).toBe("90 min");
    await window.getByLabel("When", { exact: false }).first().selectOption("every");
    await window.getByLabel("Every").fill("soon");
    await window.getByRole("button", { name: "Change it" }).click();
    await until("the period is refused", async () => {
      return (await window.getByLabel("Every").getAttribute("aria-invalid")) === "true";
    });
    await window.getByLabel("Every").fill("15 min");
    await window.getByRole("button", { name: "Change it" }).click();
    await page.getByText("acme-daily is put, version 2.").waitFor();
    const { cron: _, timeZone: __, ...rest } = definition;
    expect(await client.scheduleDefinition("acme-daily")).toEqual({ ...rest, everyMs: 900_000 });
    const row = page.locator("tr.schedule", { hasText: "acme-daily" });
    await row.getByText("every 15 min", { exact: false }).first().waitFor();

    await chooseAct(page, "acme-daily", "Delete…");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await row.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Acts on declared" }).click();
    expect(await page.getByRole("menuitem").allTextContents()).toEqual([
      "Run now…",
      "Pause…",
      "Skip the next tick…",
    ]);
    await page.getByRole("menuitem", { name: "Skip the next tick…" }).click();
    await page.getByLabel("Reason").fill("the warehouse is closed");
    await page.getByRole("alertdialog").getByRole("button", { name: "Skip it" }).click();
    const declared = page.locator("tr.schedule", { hasText: "declared" });
    await declared.getByText("the warehouse is closed").waitFor();
    await chooseAct(page, "declared", "Let the next tick run…");
    await page.getByRole("alertdialog").getByRole("button", { name: "Let it run" }).click();
    await declared.getByText("the warehouse is closed").waitFor({ state: "detached" });
    // What was refused, and what a busy machine answers.
    expect(complaints.filter((complaint) => !/status of (400|503)/.test(complaint))).toEqual([]);
  });

  it("lists by prefix, page by page", async () => {
    const { client, page, open } = await served();
    const names = Array.from({ length: 25 }, (_, index) => `acme-${String(index).padStart(2, "0")}`);
    for (const name of [...names, "other"]) await client.putSchedule(name, everySecond);
    const asked: string[] = [];
    page.on("request", (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.startsWith("/schedules")) asked.push(pathname);
    });
    await open("schedules");
    await page.getByRole("listbox", { name: "Past ticks of declared" }).waitFor();
    expect(asked).toEqual(["/schedules"]);
    await page.getByLabel("Name begins with").fill("acme-");
    await page.keyboard.press("Enter");
    const cards = page.locator(".schedule");
    await until("the first page is there", async () => (await cards.count()) === 20);

    await page.getByRole("button", { name: "Show more" }).click();

    await until("all are there", async () => (await cards.count()) === names.length);
    expect(await page.getByRole("button", { name: "Show more" }).count()).toBe(0);
  });

  it("has a form that fits on a phone", async () => {
    const { url } = await stage().startApi();
    const { page, open } = await openConsole(browser, url, { viewport: viewports.phone });
    await open("schedules");
    await page.getByRole("button", { name: "New schedule…" }).click();
    await page.getByLabel("Name").waitFor();

    expect(await sidewaysScroll(page)).toBe(0);
    expect(await cutTexts(page)).toEqual([]);
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});
