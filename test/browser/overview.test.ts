import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anyJob } from "../support/application.ts";
import { cutTexts, launchBrowser, sidewaysScroll } from "../support/browser.ts";
import { accessibilityFaults, openConsole, queueRow } from "../support/console-page.ts";
import { applicationOf, createService, untilState } from "../support/service.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const once = { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } } as const;
const charging = anyJob({ type: "charging", retry: once });
const printing = anyJob({ type: "printing", queue: "paper" });
const application = applicationOf(
  charging.handler(async () => {
    throw new Error("declined");
  }),
  printing.handler(async () => null),
);

async function served() {
  const service = createService(application);
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  await service.startWorker();
  return { service, producer, url };
}

describe("the overview", () => {
  it("says that all is well, and shows nothing that is zero everywhere", async () => {
    const { url } = await served();
    const { page, open, complaints } = await openConsole(browser, url);
    await open("");

    await page.getByText("All is well", { exact: true }).waitFor();
    await page.getByText(/^\d+ guarantees hold$/).waitFor();
    await page.getByText(/^1 worker, 0 of \d+ slots busy$/).waitFor();
    const table = page.getByRole("region", { name: "Queues, table" });
    const headings = await table.getByRole("columnheader").allTextContents();
    expect(headings.filter((text) => /Failed|doubt|Delayed|Cancelled/.test(text))).toEqual([]);
    expect(await table.getByRole("button", { name: /^Acts on/ }).count()).toBe(2);
    expect(await page.getByRole("list").locator(".needs").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it.each([1440, 390])("lists what needs a person, and leads there, at %i pixels", async (width) => {
    const { service, producer, url } = await served();
    const { id } = await producer.submit(charging, 1, { idempotencyKey: "order-41" });
    await untilState(producer, id, "failed");
    const operator = await service.createOperator();
    await operator.queues.pause("paper", { reason: "the printer is on fire", by: "ann" });
    for (const key of ["a", "b"]) await producer.submit(printing, 1, { idempotencyKey: key });
    const { page, open, complaints } = await openConsole(browser, url, {
      viewport: { width, height: 900 },
    });
    await open("");

    await page.getByText("Work goes on; 2 things need you", { exact: true }).waitFor();
    const needs = page.getByRole("region", { name: "Needs attention" });
    await needs.getByText("paper is paused: 2 jobs wait").waitFor();
    await needs.getByText("the printer is on fire (ann)").waitFor();
    await needs.getByText("1 job has failed").waitFor();
    expect(await sidewaysScroll(page)).toBe(0);
    expect(await cutTexts(page)).toEqual([]);
    expect(await accessibilityFaults(page)).toEqual([]);

    await needs.getByRole("button", { name: "Resume paper" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Resume" }).click();
    await needs.getByText("paper is paused").waitFor({ state: "detached" });
    await queueRow(page, "default").locator('[data-title="Failed, kept"]').getByRole("link").click();
    await page.waitForURL("**/console/jobs?queue=default&state=failed");
    expect(complaints).toEqual([]);
  });
});
