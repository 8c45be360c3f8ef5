import { readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { createClient } from "holdfast/client";
import type { Api } from "holdfast/server";
import pg from "pg";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { operations } from "../../../src/desk/operations/operations.ts";
import { migrate } from "../../../src/roles/outbox/database.ts";
import { launchBrowser } from "../../support/browser.ts";
import { chooseAct, openConsole, untilLoaded } from "../../support/console-page.ts";
import { createDatabase } from "../../support/postgres.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn, trade } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const DELAY_MS = 3_600_000;
const HOOKS = 2;
/** What a window says when there is nothing left to do, or when it is not as it was seen. */
const ALREADY = /CHANGED|Nothing is left to confirm here/;
const stops: (() => Promise<void>)[] = [];
let browser: Browser;
let api: Api;
let client: ReturnType<typeof createClient>;
let database: pg.Pool;
let placeDelayed: () => Promise<string>;
/** By what the acts do to them. */
let jobs: { readonly failed: string; readonly inDoubt: string };

beforeAll(async () => {
  const databaseUrl = await createDatabase(inject("postgresUrl"));
  await migrate(databaseUrl);
  database = new pg.Pool({ connectionString: databaseUrl });
  const service = createService(
    shopIn({ isPartnerDown: true }),
    { DATABASE_URL: databaseUrl, HOLDFAST_STOP_GRACE_MS: "100" },
    (stop) => stops.push(stop),
  );
  const [opened, started, producer] = await Promise.all([
    launchBrowser(),
    service.startApi(),
    service.createProducer(),
  ]);
  [browser, api, client] = [opened, started, createClient({ url: started.url })];
  await service.startWorker();
  await trade(producer, { confirmations: 0, invoices: 0, hooks: HOOKS, videos: 1 });
  let delayed = 0;
  placeDelayed = async () => {
    delayed += 1;
    return (await placeOrder(producer, 1, DELAY_MS, `delayed-${delayed}`)).id;
  };
  const [{ id: inDoubt }] = await Promise.all([placeOrder(producer, 90), placeOrder(producer, 180)]);
  const failed = await until("hooks have failed, and effects are in doubt", async () => {
    const { groups } = await client.failures();
    const hook = groups.find(({ type }) => type === "partner-webhook");
    return (await client.doubts()).length === 2 && hook?.count === HOOKS && hook.exampleId;
  });
  jobs = { failed, inDoubt };
}, 120_000);
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
  await database.end();
});

/** What calls the service in the console: its file, and the operation. */
type CallSite = `${string} ${keyof typeof operations}`;

interface Act {
  readonly name: string;
  /** The calls of the console that it makes. */
  readonly calls: readonly CallSite[];
  /** What the first person has open before it is asked. */
  readonly before?: () => Promise<unknown>;
  readonly path: () => string;
  /** Opens the window, and fills it in. */
  readonly ask: (page: Page) => Promise<void>;
  /** What the other person does. */
  readonly meanwhile: (page: Page) => Promise<unknown>;
  readonly confirm: string;
  /** What is so, which must be what the other person has made. */
  readonly result: () => Promise<unknown>;
  /** What the first person sees after that. @default an alert in the window */
  readonly says?: (page: Page) => Promise<unknown>;
}

/** Calls that nobody confirms what they have seen for, and why that is well. */
const unasked: Readonly<Record<CallSite, string>> = {
  "schedules/run-now.tsx runSchedule": "makes one more job, which is what was confirmed, whatever others do",
  "failed/retry.ts stopAct": "stops the act that the same window has started",
  "doubts/probe.tsx askProbes": "acts at one press, on each doubt as it is listed",
  "notices/notices-page.tsx testNotices": "sends a test",
};

/** Operations that change something and that the console does not offer. */
const notInConsole: Readonly<Partial<Record<keyof typeof operations, string>>> = {
  reserveEffect: "a program calls it",
  commitEffect: "a program calls it",
  releaseEffect: "a program calls it",
  doubtEffect: "a program calls it",
  acceptLoss: "only a command and HTTP accept a loss",
  delete: "the console deletes what matches a filter, by an act",
};

const alert = (page: Page) =>
  page.locator(".window").getByRole("alert").filter({ hasText: ALREADY }).first().waitFor();
const closed = (page: Page) => page.getByRole("alertdialog").waitFor({ state: "hidden" });
const text = (shown: string | RegExp) => (page: Page) => page.getByText(shown).first().waitFor();

const daily = (cron: string, name = "twice") =>
  client.putSchedule(name, {
    type: "nightly-report",
    cron,
    timeZone: "UTC",
    payload: { night: "2026-11-30T00:00:00.000Z" },
  });
const scheduleNow = async () => (await client.schedules({ prefix: "twice" })).schedules[0];
const queueNow = async (name: string) => (await client.queues()).find((queue) => queue.name === name);
const curbNow = async () => (await queueNow("media"))?.curbs;
const fillReason = (page: Page) => page.getByRole("textbox", { name: "Reason" }).fill("mine");

const onQueues: Act[] = [
  {
    name: "pause a queue",
    calls: ["overview/queue-hand.tsx pauseQueue"],
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
    calls: ["overview/queue-hand.tsx resumeQueue"],
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
    calls: ["overview/queue-hand.tsx limitQueue"],
    path: () => "",
    async ask(page) {
      await chooseAct(page, "media", "Limit…");
      await page.getByLabel("How many jobs run at a time").fill("7");
    },
    meanwhile: () => client.limitQueue("media", { concurrency: 2, rate: null }),
    confirm: "Limit",
    result: async () => (await queueNow("media"))?.limits.concurrency,
  },
  {
    name: "pause a type",
    calls: ["overview/crowd-window.tsx pauseQueue"],
    path: () => "",
    async ask(page) {
      await chooseAct(page, "media", "Types and keys…");
      await page.getByRole("button", { name: "Pause or limit type video-preview" }).click();
      await fillReason(page);
    },
    meanwhile: () => client.limitQueue("media", { type: "video-preview", concurrency: 3 }),
    confirm: "Pause",
    result: curbNow,
  },
  {
    name: "limit a type",
    calls: ["overview/crowd-window.tsx limitQueue"],
    path: () => "",
    async ask(page) {
      await chooseAct(page, "media", "Types and keys…");
      await page.getByRole("button", { name: "Pause or limit type video-preview" }).click();
      await page.getByLabel("How many may run at a time").fill("7");
    },
    meanwhile: () => client.pauseQueue("media", { type: "video-preview", reason: "theirs" }),
    confirm: "Limit",
    result: curbNow,
  },
  {
    name: "let a type go",
    calls: ["overview/let-go.tsx resumeQueue"],
    before: () => client.pauseQueue("media", { type: "video-preview", reason: "before" }),
    path: () => "",
    ask: (page) => page.getByRole("button", { name: "Let type video-preview of media go" }).click(),
    meanwhile: () => client.limitQueue("media", { type: "video-preview", concurrency: 3 }),
    confirm: "Let go",
    result: curbNow,
  },
];

const HERE = `${hostname()}:${process.pid}`;
const openWorkers = (page: Page) => page.getByRole("heading", { name: "Workers" }).click();

const onWorkers: Act[] = [
  {
    name: "quiet a worker",
    calls: ["overview/quiet-worker.tsx quietWorker"],
    path: () => "",
    async ask(page) {
      await openWorkers(page);
      await chooseAct(page, HERE, "Quiet…");
      await fillReason(page);
    },
    meanwhile: () => client.quietWorker(HERE, { reason: "theirs" }),
    confirm: "Quiet",
    result: () => recorded("worker-quieted"),
  },
  {
    name: "wake a worker",
    calls: ["overview/quiet-worker.tsx wakeWorker"],
    before: () => client.quietWorker(HERE, { reason: "before" }),
    path: () => "",
    async ask(page) {
      await openWorkers(page);
      await page.getByText("before").first().waitFor();
      await chooseAct(page, HERE, "Wake…");
    },
    meanwhile: () => client.wakeWorker(HERE),
    confirm: "Wake",
    result: () => recorded("worker-woken"),
  },
];

const onSchedules: Act[] = [
  {
    name: "pause a schedule",
    calls: ["schedules/schedule-hand.tsx pauseSchedule"],
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
    calls: ["schedules/schedule-hand.tsx resumeSchedule"],
    before: () => client.pauseSchedule("twice", { reason: "before" }),
    path: () => "schedules",
    ask: (page) => chooseAct(page, "twice", "Resume…"),
    meanwhile: () => client.resumeSchedule("twice"),
    confirm: "Resume",
    result: async () => (await scheduleNow())?.paused,
  },
  {
    name: "change a schedule",
    calls: ["schedules/put-schedule.tsx putSchedule"],
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
    calls: ["schedules/delete-schedule.tsx deleteSchedule"],
    path: () => "schedules",
    ask: (page) => chooseAct(page, "twice", "Delete…"),
    meanwhile: () => daily("0 11 * * *"),
    confirm: "Delete",
    result: async () => (await scheduleNow())?.when,
  },
  {
    name: "put a new schedule",
    calls: ["schedules/put-schedule.tsx putSchedule"],
    path: () => "schedules",
    async ask(page) {
      await page.getByRole("button", { name: "New schedule…" }).click();
      const window = page.getByRole("dialog");
      await window.getByLabel("Name").fill("new");
      await window.getByLabel("Job type").selectOption("nightly-report");
      await window.getByLabel("Cron:").fill("0 5 * * *");
    },
    meanwhile: () => daily("0 9 * * *", "new"),
    confirm: "Put it",
    result: async () => await client.scheduleDefinition("new"),
    says: text("there is a schedule with this name: change it instead"),
  },
  {
    name: "skip a tick",
    calls: ["schedules/skip-tick.tsx skipTick"],
    path: () => "schedules",
    async ask(page) {
      await chooseAct(page, "twice", "Skip the next tick…");
      await fillReason(page);
    },
    meanwhile: () => skipNext(false),
    confirm: "Skip it",
    result: async () => (await scheduleNow())?.skips,
  },
  {
    name: "let a tick run after all",
    calls: ["schedules/skip-tick.tsx skipTick"],
    before: () => skipNext(false),
    path: () => "schedules",
    ask: (page) => chooseAct(page, "twice", "Let the next tick run…"),
    meanwhile: () => skipNext(true),
    confirm: "Let it run",
    result: () => recorded("schedule-tick-unskipped"),
  },
];

/** What was refused is called otherwise. */
async function recorded(as: string): Promise<number> {
  return (await client.auditTrail(50)).filter((entry) => entry.as === as).length;
}

async function skipNext(undo: boolean): Promise<void> {
  const at = (await scheduleNow())?.next[0] ?? "";
  await client.skipTick("twice", { at, undo, reason: "theirs" });
}

/** By pointer: a table that gets the focus by a script gives it to its first row. */
async function select(page: Page, id: string): Promise<void> {
  const row = page.getByRole("row").filter({ has: page.locator(`a[href$="${id}"]`) });
  await row.locator(".checkbox").click();
  await row.getByRole("checkbox", { checked: true }).waitFor();
}

/** The failed job has run again, and failed again. */
async function failAgain(): Promise<void> {
  const { finishedAt } = await client.detail(jobs.failed);
  await client.retry(jobs.failed);
  await until("it has failed again", async () => {
    const now = await client.detail(jobs.failed);
    return now.state === "failed" && now.finishedAt !== finishedAt;
  });
}
const failedAt = async () => (await client.detail(jobs.failed)).finishedAt;
const delayedNow = async () => (await client.list({ type: "order-confirmation", state: "delayed" })).jobs;
const hooks = "jobs?type=partner-webhook&state=failed";
const askAll = async (page: Page, act: string, matching: string) => {
  await page.getByRole("button", { name: act }).click();
  await page.getByRole("alertdialog").getByText(matching).first().waitFor();
  await fillReason(page);
};
/** The act that was begun finds nothing that is as it was seen. */
const actedOnNothing = (kind: "delete" | "cancel") => () =>
  until("the act has ended", async () => {
    const act = (await client.acts(10)).find((each) => each.act === kind);
    return act?.state === "done" && act.reason === "mine" && act.done === 0;
  });

const onJobs: Act[] = [
  {
    name: "retry a job",
    calls: ["jobs/job-operations.tsx retry"],
    path: () => `jobs/${jobs.failed}`,
    ask: (page) => page.getByRole("button", { name: "Retry", exact: true }).click(),
    meanwhile: failAgain,
    confirm: "Retry this job",
    result: failedAt,
  },
  {
    name: "cancel a job",
    calls: ["jobs/job-operations.tsx cancel"],
    before: async () => {
      toCancel = await placeDelayed();
    },
    path: () => `jobs/${toCancel}`,
    ask: (page) => page.getByRole("button", { name: "Cancel", exact: true }).click(),
    meanwhile: () => client.cancel(toCancel, { reason: "theirs" }),
    confirm: "Cancel this job",
    result: async () => (await client.detail(toCancel)).error?.message,
  },
  {
    name: "submit a job again",
    calls: ["jobs/submit-again.tsx again"],
    before: async () => {
      ended = await placeDelayed();
      await client.cancel(ended);
    },
    path: () => `jobs/${ended}`,
    async ask(page) {
      await page.getByRole("button", { name: "More to do" }).click();
      await page.getByRole("menuitem", { name: "Edit and submit again…" }).click();
      await fillReason(page);
    },
    async meanwhile() {
      const { idempotencyKey } = await client.detail(ended);
      const options = { tags: [`again:${ended}`] }; // as the console has it
      await client.again(ended, { idempotencyKey: `${idempotencyKey}-again`, reason: "theirs", options });
    },
    confirm: "Submit a new job",
    result: async () => (await client.list({ type: "order-confirmation" })).jobs.map(({ id }) => id).sort(),
    says: text("That key had a job already"),
  },
  {
    name: "retry those that are selected",
    calls: ["failed/retry.ts retry"],
    path: () => "failed?type=partner-webhook&code=HANDLER_FAILED",
    async ask(page) {
      await select(page, jobs.failed);
      await page.getByRole("button", { name: "Retry 1 selected…" }).click();
    },
    meanwhile: failAgain,
    confirm: "Retry 1 job",
    result: failedAt,
    says: text("Done: 0 jobs retried, 1 had changed."),
  },
  {
    name: "retry all of a reason",
    calls: ["failed/retry.ts startAct"],
    path: () => "failed",
    async ask(page) {
      await page.getByRole("button", { name: "Retry all HANDLER_FAILED of partner-webhook" }).click();
      await fillReason(page);
    },
    meanwhile: () => Promise.all([failAgain(), failOthersAgain()]),
    confirm: `Retry ${HOOKS} jobs`,
    result: failedAt,
    says: text("Done: 0 jobs retried"),
  },
  {
    name: "delete all that match",
    calls: ["acts/queries.ts startAct"],
    path: () => hooks,
    ask: (page) => askAll(page, "Delete all…", `${HOOKS} jobs`),
    meanwhile: () => Promise.all([failAgain(), failOthersAgain()]),
    confirm: "Delete them",
    result: failedAt,
    says: actedOnNothing("delete"),
  },
  {
    name: "cancel all that match",
    calls: ["acts/queries.ts startAct"],
    before: async () => {
      toCancel = await placeDelayed();
    },
    path: () => "jobs?type=order-confirmation&state=delayed",
    ask: (page) => askAll(page, "Cancel all…", "1 job"),
    async meanwhile() {
      await client.cancel(toCancel, { reason: "theirs" });
      toCancel = await placeDelayed();
    },
    confirm: "Cancel them",
    result: async () => (await delayedNow()).map(({ id }) => id),
    says: actedOnNothing("cancel"),
  },
  {
    name: "stop an act",
    calls: ["acts/acts-page.tsx stopAct"],
    before: async () => {
      const slow = {
        act: "retry",
        filter: { type: "partner-webhook" },
        reason: "slow",
        rate: "1/24h",
      } as const;
      slowAct = await client.startAct(slow, { idempotencyKey: "slow" });
    },
    path: () => "acts",
    ask: (page) => page.getByRole("button", { name: "Stop…" }).click(),
    async meanwhile() {
      await client.stopAct(slowAct);
      await until("it has stopped", async () => (await client.act(slowAct)).endedAt !== null);
      // Its worker records it in its own time.
      await until("that is on record", async () =>
        (await ofSlowAct()).some(({ as }) => as === "retry-stopped"),
      );
    },
    confirm: "Stop",
    result: async () => (await ofSlowAct()).map(({ as }) => as),
    says: text(/^stopped/),
  },
];
let toCancel = "";
let ended = "";
let slowAct = "";
const ofSlowAct = async () => await client.auditTrail(50, { actId: slowAct });

async function failOthersAgain(): Promise<void> {
  const found = await client.list({ type: "partner-webhook", state: "failed" });
  for (const { id, finishedAt } of found.jobs.filter((job) => job.id !== jobs.failed)) {
    await client.retry(id);
    await until("it has failed again", async () => {
      const now = await client.detail(id);
      return now.state === "failed" && now.finishedAt !== finishedAt;
    });
  }
}

const doubtNow = async () => (await client.doubts()).find(({ jobId }) => jobId === jobs.inDoubt);

const doubtSince = async () => (await doubtNow())?.since;

/** Somebody says that it did not happen: it runs again, and is in doubt anew. */
async function doubtAgain(): Promise<void> {
  const before = await doubtNow();
  await client.resolve(jobs.inDoubt, "send", { as: "not-done", evidence: "theirs" });
  await until("it is in doubt anew", async () => {
    const now = await doubtNow();
    return now !== undefined && now.since !== before?.since;
  });
}
const sayNotDone = async (page: Page) => {
  await page.getByText("It did not happen.").click();
  await page.getByLabel("Evidence").fill("mine");
};

const onDoubts: Act[] = [
  {
    name: "resolve a doubt",
    calls: ["doubts/resolve-form.tsx resolve"],
    path: () => `jobs/${jobs.inDoubt}`,
    async ask(page) {
      await page
        .getByRole("button", { name: /^Resolve/ })
        .first()
        .click();
      // Read then: it says since when.
      await page.getByText("In doubt since").waitFor();
      await sayNotDone(page);
    },
    meanwhile: doubtAgain,
    confirm: "Resolve as not done",
    result: doubtSince,
  },
  {
    name: "resolve those that are selected",
    calls: ["doubts/resolve-all.ts resolveDoubts"],
    path: () => "doubts",
    async ask(page) {
      await select(page, jobs.inDoubt);
      await page.getByRole("button", { name: "Resolve 1…" }).click();
      await sayNotDone(page);
    },
    // The list behind the window follows, row by row; what was selected in it is what was seen.
    async meanwhile(page) {
      await client.pauseQueue("default", { reason: "so that the list is seen without it" });
      const again = doubtAgain();
      await page.getByText(/^1 effect in doubt/).waitFor();
      await client.resumeQueue("default");
      await again;
      await page.getByText(/^2 effects in doubt/).waitFor();
    },
    confirm: "Resolve 1 as not done",
    result: doubtSince,
    says: text("0 effects resolved"),
  },
  {
    name: "import an export",
    calls: ["doubts/resolve-all.ts resolveDoubts"],
    path: () => "doubts",
    async ask(page) {
      await page.getByRole("button", { name: "Import an export…" }).click();
      const buffer = Buffer.from(`key\n${(await doubtNow())?.effectKey}\n`);
      await page.getByLabel("File").setInputFiles({ name: "sent.csv", mimeType: "text/csv", buffer });
      await page.getByText("1 of 2 effects").waitFor();
    },
    meanwhile: doubtAgain,
    confirm: "Resolve 1 as done",
    result: doubtSince,
    says: text("0 effects resolved"),
  },
];

const park = () =>
  database.query(
    `INSERT INTO holdfast_outbox (type, payload, idempotency_key, state, problem)
     VALUES ('no-such-type', '{}', 'parked', 'parked', '{"code": "UNKNOWN_JOB_TYPE", "message": "?"}')`,
  );
const rowsNow = async () =>
  (await database.query("SELECT state, changed_at FROM holdfast_outbox ORDER BY id")).rows;
/** As if a relay had met it again. */
const parkAnew = () => database.query("UPDATE holdfast_outbox SET changed_at = clock_timestamp()");

const onOutbox: Act[] = [
  {
    name: "release a row",
    calls: ["outbox/parked-rows.tsx releaseRow"],
    before: park,
    path: () => "outbox",
    ask: (page) => page.getByRole("button", { name: "Release…" }).click(),
    meanwhile: parkAnew,
    confirm: "Release",
    result: rowsNow,
  },
  {
    name: "discard a row",
    calls: ["outbox/parked-rows.tsx discardRow"],
    path: () => "outbox",
    ask: (page) => page.getByRole("button", { name: "Discard…" }).click(),
    meanwhile: parkAnew,
    confirm: "Discard",
    result: rowsNow,
  },
  {
    name: "release all rows of a code",
    calls: ["outbox/parked-rows.tsx releaseRows"],
    path: () => "outbox",
    ask: (page) => page.getByRole("button", { name: "Release all UNKNOWN_JOB_TYPE…" }).click(),
    meanwhile: () => client.releaseRows({ code: "UNKNOWN_JOB_TYPE" }),
    confirm: "Release all",
    result: rowsNow,
    says: closed,
  },
];

const changing = Object.entries(operations)
  .filter(([, { method }]) => method !== "GET")
  .map(([name]) => name);

/** Every call in the console's source that changes something. */
function callSites(): string[] {
  const files = readdirSync("console", { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.tsx?$/.test(file),
  );
  const found = files.flatMap((file) => {
    const source = readFileSync(path.join("console", file), "utf8");
    const calls = [...source.matchAll(/(?<!typeof )\bservice\.(\w+)\b/g)].map(([, name]) => name ?? "");
    return calls.filter((name) => changing.includes(name)).map((name) => `${file} ${name}`);
  });
  return [...new Set(found)].sort();
}

onOutbox.push({
  name: "discard all rows of a code",
  calls: ["outbox/parked-rows.tsx discardRows"],
  before: park,
  path: () => "outbox",
  async ask(page) {
    await page.getByRole("button", { name: "Discard all UNKNOWN_JOB_TYPE…" }).click();
    await fillReason(page);
  },
  meanwhile: parkAnew,
  confirm: "Discard all",
  result: rowsNow,
  says: text("0 rows deleted."),
});

const acts = [...onQueues, ...onSchedules, ...onJobs, ...onDoubts, ...onOutbox, ...onWorkers];

it("knows every act of the console", () => {
  expect([...new Set([...acts.flatMap(({ calls }) => calls), ...Object.keys(unasked)])].sort()).toEqual(
    callSites(),
  );
});

it("knows every operation that changes something: an act that is added here or there fails without its pair of people", () => {
  const known = [...acts.flatMap(({ calls }) => calls), ...Object.keys(unasked)];
  const called = known.map((call) => call.split(" ")[1] ?? "");
  expect([...new Set([...called, ...Object.keys(notInConsole)])].sort()).toEqual(changing.sort());
});

describe("what somebody confirms after another person has acted", () => {
  it.each(acts)(
    "is not done, and the window says so: $name",
    async ({ before, path, ask, meanwhile, confirm, result, says = alert }) => {
      await daily("0 7 * * *");
      await before?.();
      const { page, open } = await openConsole(browser, api.url);
      await open(path());
      await untilLoaded(page);
      await ask(page);
      await meanwhile(page);
      const theirs = await result();

      const button = page.getByRole("button", { name: confirm, exact: true });
      // It may be closed to the first person already, and stay so until the page is closed.
      void button.click().catch(() => {});

      await says(page);
      expect(await result()).toEqual(theirs);
      await client.resumeSchedule("twice");
      await client.resumeQueue("media");
      await client.resumeQueue("media", { type: "video-preview" });
    },
  );
});
