import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cutTexts, sidewaysScroll, smallTexts } from "../../support/browser.ts";
import { accessibilityFaults, openConsole, untilLoaded, watchShifts } from "../../support/console-page.ts";
import { type ConsoleShop, openConsoleShop } from "../../support/console-shop.ts";
import { placeOrder } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

/** Below it, people do not notice; a tenth of what counts as good on the web. */
const SHIFT_MAX = 0.01;
let shop: ConsoleShop;
let api: ConsoleShop["api"];
let browser: ConsoleShop["browser"];
let producer: ConsoleShop["producer"];
let groupOf: ConsoleShop["groupOf"];
let oldestDoubt: ConsoleShop["oldestDoubt"];

beforeAll(async () => {
  shop = await openConsoleShop();
  ({ api, browser, producer, groupOf, oldestDoubt } = shop);
}, 120_000);

afterAll(() => shop.stop());

/** Every page, by its path. */
async function everyPage(): Promise<string[]> {
  const { jobId } = await oldestDoubt();
  const { exampleId } = (await groupOf("invoice-pdf"))!;
  return [
    "",
    "jobs",
    `jobs/${exampleId}`,
    `jobs/${jobId}`,
    "failed",
    "failed?type=invoice-pdf&code=PERMANENT_FAILURE",
    "doubts",
    "doubts?view=resolved",
    "schedules",
    "acts",
    "notices",
    "search?q=shipped-41007",
  ];
}

/** On a phone, numbers that become nothing leave: that is no movement of the page's own. */
async function untilQuiet(): Promise<void> {
  await until("no job runs or has just run, by the overview", async () => {
    const answer = await fetch(`${api.url}/overview`, { headers: { accept: "application/json" } });
    if (!answer.ok) return false;
    const { queues } = (await answer.json()) as {
      queues: {
        name: string;
        active: number;
        waiting: number;
        completedPerSecond: number;
        failedPerSecond: number;
      }[];
    };
    return queues.every(
      ({ name, active, waiting, completedPerSecond, failedPerSecond }) =>
        completedPerSecond + failedPerSecond === 0 && (name === "media" || active + waiting === 0),
    );
  });
}

async function expectInPlace(shiftsOf: Awaited<ReturnType<typeof watchShifts>>, path: string) {
  const shifts = await shiftsOf();
  const score = shifts.reduce((sum, { value }) => sum + value, 0);
  expect.soft(score, `${path || "overview"}: ${JSON.stringify(shifts)}`).toBeLessThan(SHIFT_MAX);
}

describe("the console", () => {
  it("is accessible on every page, which stays in place when data arrives late", {
    timeout: 120_000,
  }, async () => {
    const { page, open, complaints } = await openConsole(browser, api.url, { colorScheme: "light" });
    const shiftsOf = await watchShifts(page);
    for (const path of await everyPage()) {
      await open(path);
      await untilLoaded(page);
      await expectInPlace(shiftsOf, path);
      expect.soft(await accessibilityFaults(page), path).toEqual([]);
      expect.soft(await smallTexts(page), path).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect.soft(await accessibilityFaults(page, ["color-contrast"]), `${path}, dark`).toEqual([]);
      await page.emulateMedia({ colorScheme: "light" });
    }
    await open("doubts");
    await page.getByRole("button", { name: "Resolve" }).first().click();
    await page.getByText("It happened.").click();
    expect.soft(await accessibilityFaults(page), "resolving").toEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    expect.soft(await accessibilityFaults(page, ["color-contrast"]), "resolving, dark").toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("neither scrolls sideways, nor truncates anything, nor moves on a phone", {
    timeout: 120_000,
  }, async () => {
    const { page, open, complaints } = await openConsole(browser, api.url, {
      viewport: { width: 360, height: 640 },
    });
    const shiftsOf = await watchShifts(page);
    await untilQuiet();
    for (const path of [...(await everyPage()), "jobs?idempotencyKey=never-used"]) {
      await open(path);
      await untilLoaded(page);
      await expectInPlace(shiftsOf, path);
      expect.soft(await sidewaysScroll(page), path).toBe(0);
      expect.soft(await cutTexts(page), path).toEqual([]);
    }
    await open("doubts");
    await page.getByRole("button", { name: "Resolve" }).first().click();
    expect.soft(await sidewaysScroll(page), "resolving").toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("can be used by keyboard alone", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs");
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Skip to the page");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(
      await page
        .getByLabel("Job id or idempotency key")
        .evaluate((input) => input === input.ownerDocument.activeElement),
    ).toBe(true);

    await page.keyboard.type("order-41001");
    await page.keyboard.press("Enter");
    await page.getByText("1 job,").waitFor();
    await page.getByRole("row").nth(1).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");

    await page.getByRole("heading", { name: "order-41001" }).waitFor();
  });

  it("only renders the visible rows of a long list", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs?state=completed");
    const table = page.getByRole("grid", { name: "Jobs" });

    await until("300 jobs are listed", async () => {
      await table.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      return Number(/The first (\d+)/.exec((await page.getByText(/as of/).textContent()) ?? "")?.[1]) >= 300;
    });

    expect(await page.getByRole("row").count()).toBeLessThan(80);
  });

  it("shows hostile content as text", async () => {
    const key = `<img src=x onerror="document.title='executed'">\u202E${"wide".repeat(40)}`;
    const shown = key.replace("\u202E", "·");
    const { id } = await placeOrder(producer, 90_003, 3_600_000, key);
    const { page, open, complaints } = await openConsole(browser, api.url, {
      viewport: { width: 360, height: 640 },
    });

    await open(`jobs?idempotencyKey=${encodeURIComponent(key)}`);
    await page.getByRole("link", { name: shown }).waitFor();
    expect(await sidewaysScroll(page)).toBe(0);
    await open(`jobs/${id}`);
    await page.getByRole("heading", { name: shown }).waitFor();

    expect(await sidewaysScroll(page)).toBe(0);
    expect(await page.title()).not.toBe("executed");
    expect(complaints).toEqual([]);
  });
});

// Last: other tests look at doubts.
