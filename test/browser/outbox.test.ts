import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { application } from "../support/application.ts";
import { cutTexts, launchBrowser, sidewaysScroll, viewports } from "../support/browser.ts";
import { accessibilityFaults, openConsole, untilLoaded } from "../support/console-page.ts";
import { keyEntry } from "../support/keys.ts";
import { createOutboxService, type OutboxService } from "../support/outbox.ts";
import { startPostgres } from "../support/postgres.ts";
import { createService } from "../support/service.ts";
import { until } from "../support/until.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const add = (service: OutboxService, key: string, type = "greeting", orderingKey: string | null = null) =>
  service.pool.query(
    "INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key) VALUES ($1, '{}', $2, $3)",
    [type, key, orderingKey],
  );

async function parked(service: OutboxService): Promise<string[]> {
  const rows = await service.rows();
  return rows.filter(({ state }) => state === "parked").map((row) => row.idempotency_key);
}

describe("the page of the outbox", () => {
  it("shows depth, lag and rates, and mends, releases and discards what is parked", async () => {
    const service = await createOutboxService(application);
    for (const key of ["a", "b", "c", "d"]) await add(service, key);
    await add(service, "e", "no-such-type", "order-7");
    const relay = await service.startRelay();
    await until("they are parked", async () => (await parked(service)).length === 5);
    await relay.stop();
    await add(service, "f", "no-such-type", "order-7");
    const { url } = await service.startApi();
    const { page, open, complaints } = await openConsole(browser, url);
    await open("");

    await page.getByRole("link", { name: /^Outbox.*5 parked rows$/ }).click();

    const numbers = page.getByRole("list", { name: "In numbers" }).getByRole("listitem");
    await numbers.filter({ hasText: /Parked5need a look/ }).waitFor();
    await numbers.filter({ hasText: /Relays0none runs: holdfast relay/ }).waitFor();
    await numbers.filter({ hasText: /Waiting1for a relay/ }).waitFor();
    await numbers.filter({ hasText: /Lag[1-9].*so long has the oldest row waited/ }).waitFor();
    await numbers.filter({ hasText: /Relayed a second0over 30 s; 0 added a second/ }).waitFor();
    await service.startRelay();
    await numbers.filter({ hasText: /Relays1are connected/ }).waitFor();
    const rows = page.locator(".acts > li");
    await rows.filter({ hasText: "1 row of order-7 behind it" }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    const window = page.getByRole("alertdialog");
    await page.getByRole("button", { name: "Release…", exact: true }).first().click();
    await window.getByLabel("Another payload").fill("{");
    await window.getByText("This is not JSON.").waitFor();
    expect(await window.getByRole("button", { name: "Release" }).isDisabled()).toBe(true);
    await window.getByLabel("Another payload").fill('{"to": "a@example.com", "name": "A"}');
    expect(await accessibilityFaults(page)).toEqual([]);
    await window.getByRole("button", { name: "Release" }).click();
    await page.getByText("The row waits for a relay.").waitFor();
    await until(
      "it is relayed",
      async () => !(await service.rows()).some((one) => one.idempotency_key === "a"),
    );
    await until("its card is gone", async () => (await rows.count()) === 4);

    await page.getByRole("button", { name: "Discard…" }).first().click();
    await window.getByText("its job will never exist").waitFor();
    await window.getByRole("button", { name: "Not now" }).click();
    expect(await parked(service)).toEqual(["b", "c", "d", "e"]);
    await page.getByRole("button", { name: "Discard…" }).first().click();
    await window.getByLabel("Reason (optional)").fill("the customer left");
    await window.getByRole("button", { name: "Discard" }).click();
    await page.getByText("The row is deleted.").waitFor();
    expect(await parked(service)).toEqual(["c", "d", "e"]);

    await service.pool.query(
      `UPDATE holdfast_outbox SET payload = '{"to": "b@example.com", "name": "B"}' WHERE type = 'greeting'`,
    );
    await page.getByRole("button", { name: "Release all INVALID_PAYLOAD…" }).click();
    await window.getByRole("button", { name: "Release all" }).click();
    await page.getByText("2 rows released.").waitFor();
    await until("they are relayed", async () => (await parked(service)).join() === "e");
    const { entries } = (await (await fetch(`${url}/audit`)).json()) as { entries: { evidence: string }[] };
    expect(entries.map(({ evidence }) => evidence)).toContainEqual(
      expect.stringMatching(/^row \d+: the customer left$/),
    );
    // A busy machine may answer late.
    expect(complaints.filter((complaint) => !complaint.includes("status of 503"))).toEqual([]);
  });

  it("fits on a phone, and keeps its last values while the database is away", async () => {
    const postgres = await startPostgres();
    onTestFinished(postgres.stop);
    const service = await createOutboxService(application, {}, postgres.url);
    await add(service, `a-key-${"that-is-long-".repeat(15)}`);
    await service.startRelay();
    await until("it is parked", async () => (await parked(service)).length === 1);
    const { url } = await service.startApi();
    const { page, open } = await openConsole(browser, url, { viewport: viewports.phone });
    await open("outbox");
    await page.getByRole("button", { name: "Release…", exact: true }).waitFor();
    await untilLoaded(page);
    expect(await sidewaysScroll(page)).toBe(0);
    expect(await cutTexts(page)).toEqual([]);

    await postgres.kill();

    await page.getByText("DATABASE_UNAVAILABLE").first().waitFor();
    await page.getByText("What you see is from").first().waitFor();
    await page.getByRole("button", { name: "Release…", exact: true }).waitFor();
  });

  it("is not offered where no outbox is configured", async () => {
    const { url } = await createService(application).startApi();
    const { page, open, complaints } = await openConsole(browser, url);
    await open("");
    await page.getByRole("heading", { name: "Queues" }).waitFor();

    expect(await page.getByRole("link", { name: "Outbox" }).count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it("does not offer to act without the scope for it", async () => {
    const keys = keyEntry("reader", "read", "reader-key");
    const service = await createOutboxService(application, { HOLDFAST_API_KEYS: keys });
    await add(service, "a");
    await service.startRelay();
    await until("it is parked", async () => (await parked(service)).length === 1);
    const { url } = await service.startApi();
    const { page } = await openConsole(browser, url);
    await page.goto(`${url}/console/outbox`);
    await page.getByLabel("Key").fill("reader-key");
    await page.getByRole("button", { name: "Sign in" }).click();

    await page.getByText("1 parked row shown").waitFor();
    expect(await page.getByRole("button", { name: /^(Release|Discard)/ }).count()).toBe(0);
  });
});
