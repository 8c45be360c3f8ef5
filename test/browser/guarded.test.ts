import { createGuard, defineEffect, type Guard } from "holdfast/guard";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { application } from "../support/application.ts";
import { cutTexts, launchBrowser, sidewaysScroll, smallTexts, viewports } from "../support/browser.ts";
import { accessibilityFaults, openConsole, untilLoaded } from "../support/console-page.ts";
import { latch } from "../support/latch.ts";
import { createService } from "../support/service.ts";

const charge = defineEffect({ name: "charge", timeoutMs: 60_000, inDoubt: "hold" });
const mail = defineEffect({ name: "mail", timeoutMs: 60_000, inDoubt: "hold" });

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function startGuarded() {
  const service = createService(application);
  const { url } = await service.startApi();
  const guard = await createGuard({ effects: [charge, mail], env: service.env });
  onTestFinished(() => guard.stop());
  return { url, guard, operator: await service.createOperator() };
}

/** One of each state: done, in doubt, under way until the test ends. */
async function runThree(guard: Guard): Promise<void> {
  await guard.once(charge, { key: "order-1", by: "shop", about: "order 1 of Ann" }, async () => ({
    id: "ch_1",
  }));
  const broken = async () => Promise.reject(new Error("socket hang up"));
  await guard
    .once(charge, { key: "order-2", by: "shop", about: "order 2 of Bob" }, broken)
    .catch(() => undefined);
  const [began, end] = [latch(), latch()];
  onTestFinished(() => end.open());
  const running = guard.once(mail, { key: "welcome-3" }, async () => {
    began.open();
    await end.opened;
  });
  running.catch(() => undefined);
  await began.opened;
}

describe("the page of guarded effects", () => {
  it("says what a guard is while none has run anything", async () => {
    const { url } = await startGuarded();
    const { page, open, complaints } = await openConsole(browser, url);
    await open("");

    await page.getByRole("link", { name: "Guarded", exact: true }).click();

    await page.getByText("No guarded effect yet.").waitFor();
    const guide = page.getByRole("link", { name: "How to guard one call" });
    expect(await guide.getAttribute("href")).toMatch(/docs\/guard\.md$/);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("lists them by name, state and part of the key, in an address that can be shared", async () => {
    const { url, guard } = await startGuarded();
    await runThree(guard);
    const { page, open } = await openConsole(browser, url);
    await open("guarded");
    const rows = page.getByRole("row").filter({ has: page.getByRole("rowheader") });
    await page.getByText(/^3 effects, as of/).waitFor();
    expect((await rows.allInnerTexts()).map((text) => text.split("\n")[0])).toEqual([
      "welcome-3",
      "order-2",
      "order-1",
    ]);
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.getByLabel("State").selectOption("in doubt");
    await page.getByText(/^1 effect, as of/).waitFor();
    await rows.filter({ hasText: /order-2.*charge.*in doubt.*order 2 of Bob.*shop/s }).waitFor();
    await page.getByLabel("State").selectOption("any");
    await page.getByLabel("Key contains").fill("ORDER");
    await page.getByLabel("Key contains").press("Enter");
    await page.getByText(/^2 effects, as of/).waitFor();
    await page.getByRole("textbox", { name: "Effect" }).fill("mail");
    await page.getByRole("textbox", { name: "Effect" }).press("Enter");
    await page.getByText("No guarded effect matches.").waitFor();
    expect(page.url()).toBe(`${url}/console/guarded?effect=mail&keyText=ORDER`);

    await open("guarded?effect=mail");
    await rows.filter({ hasText: /welcome-3.*mail.*running/s }).waitFor();
    expect(await rows.count()).toBe(1);
  });

  it("shows the life of one, by any way to it, and resolves its doubt", async () => {
    const { url, guard, operator } = await startGuarded();
    await runThree(guard);
    const { page, open, complaints } = await openConsole(browser, url);
    await open("doubts");
    await page.getByText("about order 2 of Bob").waitFor();
    await page.getByText("1 effect in doubt", { exact: true }).waitFor();
    await page.getByRole("link", { name: /^In doubt.*1 effect in doubt$/ }).waitFor();

    await page.getByRole("link", { name: "order-2" }).click();

    await page.getByRole("heading", { name: "order-2" }).waitFor();
    const facts = page.locator(".job-facts");
    await facts.getByText("order 2 of Bob").waitFor();
    await page.getByRole("region", { name: "Why nobody knows" }).getByText("socket hang up").waitFor();
    await page.getByText("Nothing was seen.").waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    await page.getByRole("button", { name: /^Resolve charge of/ }).click();
    const window = page.getByRole("dialog");
    await window.getByText("The next call runs it again.").waitFor();
    await window.getByText("order 2 of Bob").waitFor();
    expect(await window.getByText("Job", { exact: true }).count()).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
    await window.getByText("It happened.").click();
    await window.getByLabel("Evidence").fill("ch_2 at the bank");
    await window.getByRole("button", { name: "Resolve as done" }).click();
    await page.getByText("The next call goes on.").waitFor();
    await page.getByText("Resolved as done", { exact: true }).waitFor();
    await page.getByText("ch_2 at the bank").waitFor();
    await facts.getByText("done", { exact: true }).waitFor();

    const [{ id = "" } = {}] = await operator.guardedEffects({ keyText: "order-1", limit: 1 });
    await open(`jobs/${id}`);
    await page.getByRole("heading", { name: "order-1" }).waitFor();
    expect(page.url()).toBe(`${url}/console/guarded/${id}`);
    await page.getByRole("region", { name: "Result, JSON" }).getByText('"id": "ch_1"').waitFor();
    await page.getByText("What is known of it").click();
    await page.getByText(/effect +charge, done/).waitFor();

    await page.getByLabel("Search all jobs").fill(`${id.slice(0, -1)}_`);
    await page.getByLabel("Search all jobs").press("Enter");
    await page.getByText("There is no guarded effect with this id").waitFor();
    await page.getByRole("link", { name: "See all guarded effects" }).click();
    await page.getByText(/^3 effects, as of/).waitFor();
    // The one that does not exist.
    expect(complaints.filter((complaint) => !complaint.includes("status of 404"))).toEqual([]);
  });

  it("fits on a phone", async () => {
    const { url, guard, operator } = await startGuarded();
    await runThree(guard);
    const { page, open } = await openConsole(browser, url, { viewport: viewports.phone });
    const long = {
      key: `order-${"very-long-".repeat(20)}`,
      by: "a-caller-".repeat(11),
      about: "of whom ".repeat(60),
    };
    await guard.once(charge, long, async () => ({ text: "x".repeat(2_000) }));
    const [{ id = "" } = {}] = await operator.guardedEffects({ keyText: "very-long", limit: 1 });

    for (const path of ["guarded", `guarded/${id}`]) {
      await open(path);
      await untilLoaded(page);
      expect(await sidewaysScroll(page), path).toBe(0);
      expect(await cutTexts(page), path).toEqual([]);
      expect(await smallTexts(page), path).toEqual([]);
      expect(await accessibilityFaults(page), path).toEqual([]);
    }
  });
});
