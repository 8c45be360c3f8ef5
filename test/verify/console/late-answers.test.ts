import { createClient } from "holdfast/client";
import type { Api } from "holdfast/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../../support/browser.ts";
import { chooseAct, openConsole, untilLoaded } from "../../support/console-page.ts";
import { latch } from "../../support/latch.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn, trade } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const stops: (() => Promise<void>)[] = [];
let browser: Browser;
let api: Api;
let client: ReturnType<typeof createClient>;
let jobs: { readonly failed: string; readonly inDoubt: string };

beforeAll(async () => {
  const service = createService(shopIn({ isPartnerDown: true }), { HOLDFAST_STOP_GRACE_MS: "100" }, (stop) =>
    stops.push(stop),
  );
  const [opened, started, producer] = await Promise.all([
    launchBrowser(),
    service.startApi(),
    service.createProducer(),
  ]);
  [browser, api, client] = [opened, started, createClient({ url: started.url })];
  const worker = await service.startWorker();
  await trade(producer, { confirmations: 0, invoices: 0, hooks: 1, videos: 0 });
  const { id: inDoubt } = await placeOrder(producer, 90);
  const failed = await until("a hook has failed, and an effect is in doubt", async () => {
    const hook = (await client.failures()).groups.find(({ type }) => type === "partner-webhook");
    return (await client.doubts()).length === 1 && hook?.exampleId;
  });
  await worker.stop();
  jobs = { failed, inDoubt };
}, 120_000);
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

interface Act {
  readonly name: string;
  readonly path: () => string;
  /** Opens the window, and fills it in. */
  readonly ask: (page: Page) => Promise<void>;
  readonly confirm: string;
  /** The path of its request. */
  readonly sent: RegExp;
}

const fill = (page: Page, label: string, text: string) =>
  page.getByRole("textbox", { name: label }).fill(text);

const acts: readonly Act[] = [
  {
    name: "a pause",
    path: () => "",
    async ask(page) {
      await chooseAct(page, "media", "Pause…");
      await fill(page, "Reason", "mine");
    },
    confirm: "Pause",
    sent: /\/queues\/media\/pause$/,
  },
  {
    name: "a retry",
    path: () => `jobs/${jobs.failed}`,
    ask: (page) => page.getByRole("button", { name: "Retry", exact: true }).click(),
    confirm: "Retry this job",
    sent: /\/retry$/,
  },
  {
    name: "an answer to a doubt",
    path: () => `jobs/${jobs.inDoubt}`,
    async ask(page) {
      await page
        .getByRole("button", { name: /^Resolve/ })
        .first()
        .click();
      await page.getByText("Done It happened.").click();
      await fill(page, "Evidence", "its mailbox has it");
    },
    confirm: "Resolve as done",
    sent: /\/resolve$/,
  },
  {
    name: "another submission",
    path: () => `jobs/${jobs.failed}`,
    async ask(page) {
      await page.getByRole("button", { name: "More to do" }).click();
      await page.getByRole("menuitem", { name: "Edit and submit again…" }).click();
      await fill(page, "Reason", "mine");
    },
    confirm: "Submit a new job",
    sent: /\/again$/,
  },
  {
    name: "a new schedule",
    path: () => "schedules",
    async ask(page) {
      await page.getByRole("button", { name: "New schedule…" }).click();
      await fill(page, "Name", "late");
      await fill(page, "Payload", '{"order":1,"customer":"a"}');
    },
    confirm: "Put it",
    sent: /\/schedules\/late$/,
  },
];

/** Its window is filled in. What it sends waits for `let`, and is answered as a Redis that is cut off meanwhile would have it. */
async function openAct({ path, ask, sent }: Act) {
  const { page, open } = await openConsole(browser, api.url);
  const [asked, answer] = [latch(), latch()];
  let requests = 0;
  await page.route(
    (url) => sent.test(url.pathname),
    async (route) => {
      if (route.request().method() === "GET") return await route.continue();
      requests += 1;
      asked.open();
      await answer.opened;
      const problem = { type: "about:blank", title: "The store cannot be reached", status: 503 };
      await route.fulfill({
        status: 503,
        contentType: "application/problem+json",
        body: JSON.stringify({ ...problem, code: "STORE_UNAVAILABLE", detail: "It did not answer in time" }),
      });
    },
  );
  await open(path());
  await untilLoaded(page);
  await ask(page);
  return { page, asked, answer, requests: () => requests };
}

// They change nothing: no request of theirs reaches the service.
describe.concurrent.each(acts)("$name that Redis does not answer", (act) => {
  const { confirm } = act;

  it("is called unknown, and asked for once however often somebody clicks", async () => {
    const { page, answer, asked, requests } = await openAct(act);
    const button = page.getByRole("button", { name: confirm, exact: true });
    await button.dblclick();
    await asked.opened;
    await page.keyboard.press("Enter");
    answer.open();
    await page.getByText("It may or may not have been done: look before you do it again.").waitFor();
    expect(requests()).toBe(1);
    expect(await button.isEnabled()).toBe(true);
  });

  it("is told so where its window was closed meanwhile, and the next window says nothing of it", async () => {
    const { page, answer, asked } = await openAct(act);
    await page.getByRole("button", { name: confirm, exact: true }).click();
    await asked.opened;
    await page.keyboard.press("Escape");
    await page.locator(".window").waitFor({ state: "detached" });
    answer.open();
    await page.getByRole("status").filter({ hasText: "may or may not have been done" }).waitFor();
    await act.ask(page);
    expect(await page.locator(".window .problem").count()).toBe(0);
  });
});

it("an answer that comes after its window was closed closes no other window, and leads to no other page", async () => {
  const { page, open } = await openConsole(browser, api.url);
  const answer = latch();
  await page.route(/\/(queues\/media\/pause|again)$/, async (route) => {
    await answer.opened;
    await route.continue();
  });
  await open(`jobs/${jobs.failed}`);
  const again = acts.find(({ name }) => name === "another submission");
  await again?.ask(page);
  await page.getByRole("button", { name: "Submit a new job" }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Overview", exact: true }).click();
  await chooseAct(page, "media", "Pause…");
  await fill(page, "Reason", "mine");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.keyboard.press("Escape");
  await chooseAct(page, "media", "Limit…");
  answer.open();
  await page
    .getByRole("status")
    .filter({ hasText: /Submitted|media is paused/ })
    .waitFor();
  await until("both are done", async () => {
    const [{ jobs: found }, queues] = await Promise.all([
      client.list({ type: "partner-webhook" }),
      client.queues(),
    ]);
    return found.length === 2 && queues.some(({ name, paused }) => name === "media" && paused !== null);
  });
  await page.getByText("media is paused.").waitFor();
  expect(await page.getByLabel("How many jobs run at a time").isVisible()).toBe(true);
  expect(new URL(page.url()).pathname).toBe("/console/");
});
