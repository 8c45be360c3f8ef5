import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessibilityFaults, chooseAct, openConsole, untilLoaded } from "../support/console-page.ts";
import { type ConsoleShop, HOOKS, openConsoleShop } from "../support/console-shop.ts";
import { pauseWorkerOf } from "../support/doubts.ts";
import { placeOrder, shopIn } from "../support/shop.ts";
import { until } from "../support/until.ts";

/** An order whose confirmation ends in doubt. */
const IN_DOUBT = 99_000;
let shop: ConsoleShop;
let api: ConsoleShop["api"];
let browser: ConsoleShop["browser"];
let producer: ConsoleShop["producer"];
let redis: ConsoleShop["redis"];
let keys: ConsoleShop["keys"];
let world: ConsoleShop["world"];
let ask: ConsoleShop["ask"];
let groupOf: ConsoleShop["groupOf"];
let oldestDoubt: ConsoleShop["oldestDoubt"];

beforeAll(async () => {
  shop = await openConsoleShop();
  ({ api, browser, producer, redis, keys, world, ask, groupOf, oldestDoubt } = shop);
}, 120_000);

afterAll(() => shop.stop());

describe("an operator", () => {
  it("finds a job by its key, and sees its history", async () => {
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("jobs");
    await page.getByLabel("Job id or idempotency key").fill("shipped-41007");
    await page.getByRole("button", { name: "Find" }).click();

    await page.getByRole("link", { name: "shipped-41007" }).click();

    await page.getByRole("heading", { name: "shipped-41007" }).waitFor();
    expect(await page.getByText(/^Attempt \d failed$/).allTextContents()).toEqual([
      "Attempt 1 failed",
      "Attempt 2 failed",
      "Attempt 3 failed",
    ]);
    expect(await page.getByRole("region", { name: "Payload, JSON" }).textContent()).toContain(
      '"order": 41007',
    );
    expect(complaints).toEqual([]);
  });

  it("finds a job by its id", async () => {
    const { jobId } = await oldestDoubt();
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs");

    await page.getByLabel("Job id or idempotency key").fill(` ${jobId} `);
    await page.keyboard.press("Enter");

    await page.waitForURL(`**/console/jobs/${jobId}`);
  });

  it("filters jobs, and the address contains the filter", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs");

    await page.getByLabel("Type").selectOption("video-preview");
    await page.getByLabel("State").selectOption("active");

    await page.getByText("3 jobs").waitFor();
    expect(new URL(page.url()).search).toBe("?type=video-preview&state=active");
    await page.reload();
    await page.getByText("3 jobs").waitFor();
    expect(await page.getByLabel("State").inputValue()).toBe("active");
  });

  it("finds jobs by a tag and by their queue, and a job's page links its tags", async () => {
    const contract = [...shopIn(world).jobs.values()].find(({ type }) => type === "video-preview")!;
    const submission = { idempotencyKey: "tagged", tags: ["reel:7"], delayMs: 3_600_000 };
    await producer.submit(contract, { video: "reel-7" }, submission);
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("jobs");

    await page.getByText("More filters").click();
    await page.getByLabel("Tag").fill("reel:7");
    await page.keyboard.press("Enter");

    await page.getByText("1 job", { exact: false }).first().waitFor();
    expect(new URL(page.url()).search).toBe("?tag=reel%3A7");
    await page.getByRole("link", { name: "tagged" }).click();
    await page.getByRole("link", { name: "reel:7" }).click();
    await page.getByRole("link", { name: "tagged" }).waitFor();
    await page.getByLabel("Queue").selectOption("media");
    await page.getByRole("link", { name: "tagged" }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("searches from any page by keys, opens a row, and comes back to where it was", async () => {
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("jobs");
    await untilLoaded(page);
    const list = page.getByRole("grid", { name: "Jobs" });
    const down = await list.evaluate((grid) => {
      grid.scrollTop = 1_500;
      return grid.scrollTop;
    });
    // Playwright's own click would scroll.
    const clickInTheMiddle = () =>
      list.evaluate((grid) => {
        const middle = grid.getBoundingClientRect().top + grid.clientHeight / 2;
        const link = [...grid.querySelectorAll("a")].find((one) => one.getBoundingClientRect().top > middle);
        link?.click();
        return link !== undefined;
      });
    await until("the rows there are rendered", clickInTheMiddle);
    await page.getByRole("heading", { name: "Life" }).waitFor();
    await page.goBack();
    const scrolled = () => list.evaluate((grid) => grid.scrollTop);
    await until("the list is where it was", async () => (await scrolled()) === down, 20_000);

    await page.keyboard.press("/");
    await page.keyboard.type("shipped-41007");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "With this key" }).getByText("1 job").waitFor();
    await page.getByRole("region", { name: "With this tag" }).getByText("No job has this tag.").waitFor();
    await page.getByRole("link", { name: "shipped-41007" }).click();
    await page.getByRole("heading", { name: "shipped-41007" }).waitFor();
    await page.getByLabel("Search all jobs").fill("Customer-507@Example.com");
    await page.keyboard.press("Enter");
    const byValue = page.getByRole("region", { name: "With this value" });
    await byValue.getByRole("link", { name: "order-41007" }).waitFor();

    await open("failed");
    await untilLoaded(page);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("6");
    await page.getByRole("heading", { level: 1, name: "Schedules" }).waitFor();
    await page.keyboard.press("3");
    await page.getByRole("heading", { level: 1, name: "Failed" }).waitFor();
    await untilLoaded(page);
    for (const pressed of ["j", "j", "k", "Enter"]) await page.keyboard.press(pressed);
    await page.getByRole("grid", { name: "Jobs that failed for this reason" }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("exports what it has filtered", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs?type=partner-webhook&idempotencyKey=shipped-41007");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Export CSV" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("jobs.csv");
  });

  it("edits a job and submits it again, as a new job that names the old one", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("search?q=invoice-2026-1000");
    await page.getByRole("link", { name: "invoice-2026-1000" }).click();
    await page.getByRole("button", { name: "More to do" }).click();
    await page.getByRole("menuitem", { name: "Edit and submit again…" }).click();
    const key = page.getByRole("textbox", { name: "New idempotency key" });
    const submit = page.getByRole("button", { name: "Submit a new job" });
    const payload = page.getByRole("textbox", { name: "Payload" });
    await key.fill("invoice-2026-1000");
    expect(await submit.isDisabled()).toBe(true);
    await key.fill("invoice-2026-1000-again");
    await payload.fill((await payload.inputValue()).replace("41000", '"[redacted]"'));
    expect(await submit.isDisabled()).toBe(true);
    await payload.fill((await payload.inputValue()).replace('"[redacted]"', "41001"));
    expect(await submit.isDisabled()).toBe(true);
    await page.getByRole("textbox", { name: "Reason" }).fill("wrong sum");
    await submit.click();

    await page.getByRole("heading", { name: "invoice-2026-1000-again" }).waitFor();
    await page.locator("dt", { hasText: "Repeats" }).locator("..").getByRole("link").click();
    await page.getByRole("heading", { name: "invoice-2026-1000", exact: true }).waitFor();
    await page.getByRole("link", { name: "invoice-2026-1000-again" }).waitFor();
  });

  it("stops a retry of many halfway", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("failed");

    await page.getByRole("button", { name: "Retry all HANDLER_FAILED of partner-webhook" }).click();
    const start = page.getByRole("button", { name: `Retry ${HOOKS} jobs` });
    expect(await start.isDisabled()).toBe(true);
    await page.getByRole("textbox", { name: "Reason" }).fill("the partner is back");
    await page.getByRole("textbox", { name: "At most" }).fill("10/s");
    await start.click();
    await page.getByText(/^[1-9]\d* of \d+$/).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();

    const stopped = await page
      .getByText(/^Stopped: \d+ jobs? retried, \d+ left as they were\.$/)
      .textContent();
    const [retried = 0, left = 0] = (stopped?.match(/\d+/g) ?? []).map(Number);
    expect([retried + left, retried > 0, left > 0]).toEqual([HOOKS, true, true]);
    await page.getByRole("button", { name: "Close" }).click();
    await open("acts");
    await page.getByText("the partner is back").waitFor();
    await page.getByText(/^stopped, at most 10\/s/).waitFor();
    await until("they have failed again", async () => (await groupOf("partner-webhook"))?.count === HOOKS);
  });

  it("retries all failures of one reason", async () => {
    world.isPartnerDown = false;
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("failed");
    await page
      .getByRole("row")
      .filter({ hasText: "partner-webhook" })
      .filter({ hasText: "HANDLER_FAILED" })
      .getByRole("link", { name: "the receiver answered # Service Unavailable" })
      .click();

    await page.getByRole("button", { name: `Retry all ${HOOKS}` }).click();
    expect(await page.getByRole("alertdialog").textContent()).toContain(
      `${HOOKS} partner-webhook: HANDLER_FAILED`,
    );
    await page.getByRole("textbox", { name: "Reason" }).fill("the partner is back");
    await page.getByRole("button", { name: `Retry ${HOOKS} jobs` }).click();

    await page.getByText(`Done: ${HOOKS} jobs retried.`).waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByText("None left.").waitFor();
    await until("all are done", async () => (await groupOf("partner-webhook")) === undefined);
    expect(complaints).toEqual([]);
  });

  it("retries only the jobs that are selected", async () => {
    const before = await groupOf("invoice-pdf");
    const { page, open } = await openConsole(browser, api.url);
    await open("failed?type=invoice-pdf&code=PERMANENT_FAILURE");
    const rows = page.getByRole("row").filter({ hasText: "invoice-2026" });
    await rows.first().getByRole("gridcell").first().click();

    await page.getByRole("button", { name: "Retry 1 selected" }).click();
    await page.getByRole("button", { name: "Retry 1 job", exact: true }).click();

    await page.getByText("Done: 1 job retried.").waitFor();
    await until("it has failed again", async () => (await groupOf("invoice-pdf"))?.count === before?.count);
  });

  it("resolves a doubt with evidence, which the audit log keeps", async () => {
    const { jobId, effect } = await oldestDoubt();
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("doubts");
    await page.getByRole("button", { name: `Resolve ${effect} of ${jobId}` }).click();
    const resolveButton = page.getByRole("button", { name: "Resolve as done" });
    await page.getByText("It happened.").click();
    expect(await resolveButton.isDisabled()).toBe(true);

    await page.getByLabel("Evidence").fill("Seen in the outbox of the mail server");
    await page.getByLabel("Result, as JSON").fill('"<seen@shop.example>"');
    await resolveButton.click();

    await page.getByText(`“${effect}” is resolved as done`).waitFor();
    await page.getByRole("link", { name: "Resolved" }).click();
    const entry = page.getByRole("row").filter({ hasText: "Seen in the outbox of the mail server" });
    await entry.getByRole("link", { name: jobId }).click();
    await page.locator(".timeline").getByText("Completed").waitFor();
    expect(await page.getByRole("region", { name: "Result, JSON" }).textContent()).toContain(
      "<seen@shop.example>",
    );
    expect(complaints).toEqual([]);
  });

  it("runs a schedule now, and follows its job to the end", async () => {
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("schedules");
    await chooseAct(page, "nightly-report", "Run now…");
    await page.getByRole("alertdialog").getByRole("button", { name: "Run now" }).click();

    await page.getByRole("link", { name: "See the job" }).click();

    await page.locator(".timeline").getByText("Completed").waitFor();
    expect(complaints).toEqual([]);
  });

  it("sees the outcome of a tick", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("schedules");
    const ticks = page.getByRole("listbox", { name: "Past ticks of stock-sync" });

    await ticks.getByRole("option", { name: "missed" }).first().click();

    await page.getByText("no scheduler submitted it in time").waitFor();
  });

  it("confirms before a job is cancelled", async () => {
    const { id } = await placeOrder(producer, 90_001, 3_600_000);
    const { page, open } = await openConsole(browser, api.url);
    await open(`jobs/${id}`);

    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByLabel("Reason (optional)").fill("bad deploy 7f3a");
    await page.getByRole("button", { name: "Cancel this job" }).click();

    await page.locator(".timeline").getByText("Cancelled", { exact: true }).waitFor();
    await page.locator(".timeline").getByText("Cancelled over the API: bad deploy 7f3a").waitFor();
    await page.getByText("CANCELLED").first().waitFor();
  });

  it("sees a job progress without doing anything", async () => {
    const { id } = await placeOrder(producer, 90_002, 3_600_000);
    const { page, open } = await openConsole(browser, api.url);
    await open(`jobs/${id}`);
    await page.getByText("Attempt 1 is due").waitFor();

    await fetch(`${api.url}/jobs/${id}/cancel`, { method: "POST" });

    await page.locator(".timeline").getByText("Cancelled", { exact: true }).waitFor();
  });

  it("gets an error for a missing job", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs/nonsense");
    expect(await page.getByRole("alert").textContent()).toContain("JOB_NOT_FOUND");

    await open("jobs?idempotencyKey=never-used");
    await page.getByText("No job matches.").waitFor();

    await open("no/such/page");
    await page.getByRole("heading", { name: "No such page" }).waitFor();
  });
});

describe("several doubts", () => {
  it("resolves what a provider's export names, and the rest only where that is asked for", async () => {
    const { id } = await placeOrder(producer, IN_DOUBT);
    const { doubts, named } = await until("it is in doubt", async () => {
      const listed = await ask<{ doubts: { jobId: string; effectKey: string }[] }>("doubts?limit=200");
      const found = listed.doubts.find(({ jobId }) => jobId === id);
      return found && { doubts: listed.doubts, named: found };
    });
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open("doubts");
    await page.getByRole("button", { name: "Import an export…" }).click();
    const buffer = Buffer.from(`reference;amount\n${named.effectKey};12.00\nunknown;3.00\n`);
    await page.getByLabel("File").setInputFiles({ name: "export.csv", mimeType: "text/csv", buffer });
    const column = page.getByLabel("Column or field with the effect keys (optional)");
    await column.fill("id");
    await column.press("Enter");
    await page.getByText('there is no column "id", but reference, amount').waitFor();
    await column.fill("reference");
    await column.press("Enter");

    await page.getByText(`1 of ${doubts.length} effects`).waitFor();
    expect(
      await page.getByRole("list", { name: "What would be resolved as done" }).allTextContents(),
    ).toEqual([expect.stringMatching(/^done ?send · order-confirmation · order-\d+$/)]);
    expect((await ask<{ doubts: object[] }>("doubts?limit=200")).doubts).toHaveLength(doubts.length);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByLabel("Evidence").fill("the provider's export of 12:00");
    await page.getByRole("button", { name: "Resolve 1 as done" }).click();

    await page.getByText("1 effect resolved.").waitFor();
    const { record } = await ask<{ record: { text: string }[] }>(`jobs/${named.jobId}`);
    expect(record).toMatchObject([{ text: expect.stringContaining("the provider's export of 12:00") }]);
    expect(complaints).toEqual([]);
  });

  it("asks again before an effect is resolved as not done whose first run may still be under way", async () => {
    const { id } = await placeOrder(producer, IN_DOUBT + 90);
    await until("it is in doubt", async () => {
      const { effects } = await ask<{ effects: { state: string }[] }>(`jobs/${id}`);
      return effects.some(({ state }) => state === "in-doubt");
    });
    await pauseWorkerOf(redis, keys, id);
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open(`jobs/${id}`);
    await page
      .getByRole("button", { name: /^Resolve / })
      .first()
      .click();
    await page.getByText("Its first run may act yet").waitFor();
    await page.getByText("It did not happen.").click();
    await page.getByLabel("Evidence").fill("not at the provider");
    await page.getByRole("button", { name: "Resolve as not done", exact: true }).click();

    await page.getByText(/may still be under way: its worker paused-worker was seen/).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Resolve as not done all the same" }).click();
    await page.getByText("is resolved as not done").waitFor();
    expect(complaints.filter((complaint) => !complaint.includes("409"))).toEqual([]);
  });

  it("resolves several doubts with one piece of evidence, found by type", async () => {
    const { doubts } = await ask<{ doubts: { type: string; jobId: string }[] }>("doubts?limit=200");
    const type = doubts[0]?.type ?? "";
    const count = doubts.filter((doubt) => doubt.type === type).length;
    const { page, open, complaints } = await openConsole(browser, api.url);
    await open(`doubts?type=${type}`);
    await page.getByText(`${count} effects in doubt, oldest first`).waitFor();
    for (const row of [1, 2]) {
      // A key that is pressed while the list is drawn again is lost.
      await until(`${row} are selected`, async () => {
        await page.getByRole("row").nth(row).getByRole("checkbox").press("Space");
        const selected = page.getByText(`oldest first; ${row} selected`);
        return await selected.waitFor({ timeout: 5_000 }).then(
          () => true,
          () => false,
        );
      });
    }
    await page.getByRole("button", { name: "Resolve 2…" }).click();
    await page.getByText("It happened.").click();
    await page.getByLabel("Evidence").fill("In the export of 12:00");

    await page.getByRole("button", { name: "Resolve 2 as done" }).click();

    await page.getByText("2 effects resolved as done").waitFor();
    const { record } = await ask<{ record: { text: string }[] }>(`jobs/${doubts[0]?.jobId}`);
    expect(record).toMatchObject([{ text: expect.stringContaining("In the export of 12:00") }]);
    expect(complaints).toEqual([]);
  });
});
