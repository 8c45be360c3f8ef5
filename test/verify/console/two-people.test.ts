import { createClient } from "holdfast/client";
import type { Api } from "holdfast/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "../../support/browser.ts";
import { chooseAct, openConsole, untilLoaded } from "../../support/console-page.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn, trade } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const DELAY_MS = 3_600_000;
const HOOKS = 1;
const stops: (() => Promise<void>)[] = [];
let browser: Browser;
let api: Api;
let client: ReturnType<typeof createClient>;
/** By what the acts do to them. */
let jobs: { readonly failed: string; readonly delayed: string; readonly inDoubt: string };

beforeAll(async () => {
  const service = createService(shopIn({ isPartnerDown: true }), {}, (stop) => stops.push(stop));
  const [opened, started, producer] = await Promise.all([
    launchBrowser(),
    service.startApi(),
    service.createProducer(),
  ]);
  [browser, api, client] = [opened, started, createClient({ url: started.url })];
  await service.startWorker();
  await trade(producer, { confirmations: 0, invoices: 0, hooks: HOOKS, videos: 0 });
  const { id: delayed } = await placeOrder(producer, 1, DELAY_MS);
  const { id: inDoubt } = await placeOrder(producer, 90);
  const failed = await until("a hook has failed, and an effect is in doubt", async () => {
    const { groups } = await client.failures();
    const hook = groups.find(({ type }) => type === "partner-webhook");
    const { effects } = await client.detail(inDoubt);
    return effects.some(({ state }) => state === "in-doubt") && hook?.exampleId;
  });
  jobs = { failed, delayed, inDoubt };
}, 120_000);
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

interface Act {
  readonly name: string;
  /** What the first person has open before it is asked. */
  readonly before?: () => Promise<unknown>;
  readonly path: () => string;
  /** Opens the window, and fills it in. */
  readonly ask: (page: Page) => Promise<void>;
  /** What the other person does. */
  readonly meanwhile: () => Promise<unknown>;
  readonly confirm: string;
  /** What is so, which must be what the other person has made. */
  readonly result: () => Promise<unknown>;
}

const daily = (cron: string) =>
  client.putSchedule("twice", {
    type: "nightly-report",
    cron,
    timeZone: "UTC",
    payload: { night: "2026-11-30T00:00:00.000Z" },
  });
const scheduleNow = async () => (await client.schedules({ prefix: "twice" })).schedules[0];
const queueNow = async (name: string) => (await client.queues()).find((queue) => queue.name === name);
const fillReason = (page: Page) => page.getByRole("textbox", { name: "Reason" }).fill("mine");

const onQueues: Act[] = [
  {
    name: "pause a queue",
    path: () => "",
    async ask(page) {
      await chooseAct(page, "media", "Pause…");
      await fillReason(page);
    },
    meanwhile: () => client.pauseQueue("media", { reason: "theirs" }),
    confirm: "Pause",
    result: async () => (await queueNow("media"))?.paused?.reason,
  },
  {
    name: "resume a queue",
    before: () => client.pauseQueue("media", { reason: "before" }),
    path: () => "",
    async ask(page) {
      // The overview is read every two seconds, and an open menu keeps what it was opened with.
      await page.getByRole("listitem").filter({ hasText: "media is paused" }).waitFor();
      await chooseAct(page, "media", "Resume…");
    },
    meanwhile: () => client.resumeQueue("media"),
    confirm: "Resume",
    result: async () => (await queueNow("media"))?.paused,
  },
  {
    name: "limit a queue",
    path: () => "",
    async ask(page) {
      await chooseAct(page, "media", "Limit…");
      await page.getByLabel("How many jobs run at a time").fill("7");
    },
    meanwhile: () => client.limitQueue("media", { concurrency: 2, rate: null }),
    confirm: "Limit",
    result: async () => (await queueNow("media"))?.limits.concurrency,
  },
];

const onSchedules: Act[] = [
  {
    name: "pause a schedule",
    path: () => "schedules",
    async ask(page) {
      await chooseAct(page, "twice", "Pause…");
      await fillReason(page);
    },
    meanwhile: () => client.pauseSchedule("twice", { reason: "theirs" }),
    confirm: "Pause",
    result: async () => (await scheduleNow())?.paused?.reason,
  },
  {
    name: "resume a schedule",
    before: () => client.pauseSchedule("twice", { reason: "before" }),
    path: () => "schedules",
    ask: (page) => chooseAct(page, "twice", "Resume…"),
    meanwhile: () => client.resumeSchedule("twice"),
    confirm: "Resume",
    result: async () => (await scheduleNow())?.paused,
  },
  {
    name: "change a schedule",
    path: () => "schedules",
    async ask(page) {
      await chooseAct(page, "twice", "Change…");
      await page.getByLabel("Cron:").fill("0 5 * * *");
    },
    meanwhile: () => daily("0 9 * * *"),
    confirm: "Change it",
    result: async () => (await scheduleNow())?.when,
  },
  {
    name: "delete a schedule",
    path: () => "schedules",
    ask: (page) => chooseAct(page, "twice", "Delete…"),
    meanwhile: () => daily("0 11 * * *"),
    confirm: "Delete",
    result: async () => (await scheduleNow())?.when,
  },
];

const onJobs: Act[] = [
  {
    name: "retry a job",
    path: () => `jobs/${jobs.failed}`,
    ask: (page) => page.getByRole("button", { name: "Retry", exact: true }).click(),
    async meanwhile() {
      const { finishedAt } = await client.detail(jobs.failed);
      await client.retry(jobs.failed);
      await until("it has failed again", async () => {
        const now = await client.detail(jobs.failed);
        return now.state === "failed" && now.finishedAt !== finishedAt;
      });
    },
    confirm: "Retry this job",
    result: async () => (await client.detail(jobs.failed)).finishedAt,
  },
  {
    name: "cancel a job",
    path: () => `jobs/${jobs.delayed}`,
    ask: (page) => page.getByRole("button", { name: "Cancel", exact: true }).click(),
    meanwhile: () => client.cancel(jobs.delayed, { reason: "theirs" }),
    confirm: "Cancel this job",
    result: async () => (await client.detail(jobs.delayed)).error?.message,
  },
  {
    name: "resolve a doubt",
    path: () => `jobs/${jobs.inDoubt}`,
    async ask(page) {
      await page
        .getByRole("button", { name: /^Resolve/ })
        .first()
        .click();
      await page.getByText("It did not happen.").click();
      await page.getByLabel("Evidence").fill("mine");
    },
    meanwhile: () =>
      client.resolve(jobs.inDoubt, "send", { as: "done", evidence: "theirs", result: "<a@shop.example>" }),
    confirm: "Resolve as not done",
    result: async () => (await client.detail(jobs.inDoubt)).effects.map(({ state }) => state),
  },
];

describe("what somebody confirms after another person has acted", () => {
  it.each([...onQueues, ...onSchedules, ...onJobs])(
    "is not done, and the window says so: $name",
    async ({ before, path, ask, meanwhile, confirm, result }) => {
      await daily("0 7 * * *");
      await before?.();
      const { page, open } = await openConsole(browser, api.url);
      await open(path());
      await untilLoaded(page);
      await ask(page);
      await meanwhile();
      const theirs = await result();

      const button = page.getByRole("button", { name: confirm, exact: true });
      // It may be closed to the first person already.
      await button.click({ timeout: 2_000 }).catch(() => {});

      await page.getByRole("alert").first().waitFor();
      expect(await result()).toEqual(theirs);
      await client.resumeSchedule("twice");
      await client.resumeQueue("media");
    },
  );
});
