import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { queueRow } from "../../../test/support/console-page.ts";
import { openGate } from "../../../test/support/gate.ts";
import { untilAnswer } from "./answers.ts";
import type { Desk } from "./desk.ts";
import { type Key, NIGHT_KEY, type Night } from "./night.ts";
import { DOUBTS, IMPORTS, SUPPLIER } from "./seed.ts";
import { must, type Task } from "./task.ts";
import { runCli } from "./terminal.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LEFT_OUT = 2;

const pause: Task = {
  name: "pause a queue",
  async inConsole({ page, fill, click }) {
    await choosePause(page, click, "documents");
    await fill(page.getByRole("textbox", { name: "Reason" }), "the printer is on fire");
    await click(
      page.getByRole("button", { name: "Pause", exact: true }),
      queueRow(page, "documents").getByText("the printer is on fire"),
    );
  },
  async inTerminal({ run }) {
    await run("queues", "pause", "documents", "--reason", "the printer is on fire");
  },
  async isSo(night) {
    const { paused } = await queueOf(night, "documents");
    must(paused?.reason === "the printer is on fire", "documents is paused for the reason that was given");
  },
};

/** Where the overview says that it is paused. */
const resume: Task = {
  name: "resume a queue",
  async inConsole({ page, click }) {
    await click(page.getByRole("button", { name: "Resume documents" }), page.getByRole("alertdialog"));
    await click(page.getByRole("button", { name: "Resume", exact: true }), page.getByText("is resumed"));
  },
  async inTerminal({ run }) {
    await run("queues", "resume", "documents");
  },
  async isSo(night) {
    must((await queueOf(night, "documents")).paused === null, "documents is not paused");
  },
};

interface QueueNow {
  readonly name: string;
  readonly paused: { readonly reason: string } | null;
  readonly limits: { readonly concurrency: number | null };
  readonly active: number;
  readonly curbs: readonly { readonly key: string | null; readonly reason: string }[];
}

async function queueOf({ call }: Night, name: string): Promise<QueueNow> {
  const { queues } = await call<{ readonly queues: readonly QueueNow[] }>("queues");
  const found = queues.find((queue) => queue.name === name);
  if (found === undefined) throw new Error(`There is no queue ${name}`);
  return found;
}

async function choosePause(page: Page, click: Desk["click"], queue: string): Promise<void> {
  const item = page.getByRole("menuitem", { name: "Pause…" });
  await click(page.getByRole("button", { name: `Acts on ${queue}` }), item);
  await click(item, page.getByRole("alertdialog"));
}

interface Doubts {
  readonly doubts: readonly { readonly effectKey: string }[];
}

/** The mail provider's export names all effects but two. */
async function writeExport({ call, env }: Night): Promise<string> {
  const pages = await Promise.all(
    [0, 200].map((offset) => call<Doubts>(`doubts?limit=200&offset=${offset}`)),
  );
  const doubts = pages.flatMap((page) => page.doubts);
  must(doubts.length === DOUBTS, `${DOUBTS} effects are in doubt`);
  const rows = doubts
    .slice(LEFT_OUT)
    .map(({ effectKey }, index) => `${index},mail-${effectKey},${effectKey},delivered`);
  const file = join(env.HOLDFAST_DATA_DIR ?? "", "delivered.csv");
  await writeFile(file, `row,message,reference,state\n${rows.join("\n")}\n`);
  return file;
}

/** In the form of a field for a local time; the console's time zone is UTC here. */
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString().slice(0, 16);

const resolveDoubts: Task = {
  name: `resolve ${DOUBTS - LEFT_OUT} + ${LEFT_OUT} doubts`,
  async inConsole({ page, pages, act, click }, night) {
    const file = await writeExport(night);
    const choose = page.getByRole("button", { name: "Import an export…" });
    await click(pages.getByRole("link", { name: /^In doubt/ }), choose);
    await click(choose, page.getByLabel("File"));
    await act(
      `choose ${basename(file)}`,
      () => page.getByLabel("File").setInputFiles(file),
      () => page.getByText(`${DOUBTS - LEFT_OUT} of ${DOUBTS} effects`).waitFor(),
    );
    const resolve = page.getByRole("button", { name: /^Resolve \d+ as done, / });
    await act(
      "fill in until when the export is complete",
      () => page.getByLabel(/^The export is complete until/).fill(inAnHour()),
      () => resolve.waitFor(),
    );
    await click(resolve, page.getByText(`${DOUBTS} effects resolved`));
  },
  async inTerminal({ run }, night) {
    const how = [
      "--evidence",
      "the provider's export of 03:40",
      "--rest",
      "not-done",
      "--until",
      new Date().toISOString(),
      "--yes",
    ];
    // Typed once more where Redis did not answer, it counts those that are left: the log says how each was resolved.
    await run("doubts", "import", await writeExport(night), ...how);
  },
  async isSo(night) {
    // Those that were not done run again, and hang again: the log alone says how each was resolved.
    await untilAnswer<readonly Entry[]>(night.call, LOG, (entries) => {
      const as = (wanted: string) =>
        entries.filter((entry) => entry.effect === "send" && entry.as === wanted);
      return as("done").length === DOUBTS - LEFT_OUT && as("not-done").length === LEFT_OUT;
    });
  },
};

interface Entry {
  readonly as: string;
  readonly effect: string;
  readonly queue: string;
}

/** The whole log: one import of an export is hundreds of entries. */
const LOG = "audit/export?format=ndjson";

const busyWorkers: Task = {
  name: "what eats the workers",
  async inConsole({ page, click }) {
    const workers = page.getByRole("region", { name: "Workers", exact: true });
    const media = workers.getByRole("listitem").filter({ hasText: /^media/ });
    await click(workers.getByText(/slots? busy$/), media);
    await click(media.getByText(/^Runs \d+ jobs/), media.getByText("video-preview"));
  },
  async inTerminal({ run }) {
    must(/video-preview for/.test(await run("overview")), "the overview names what runs");
  },
};

const theDigest: Task = {
  name: "did the nightly report run",
  async inConsole({ page, pages, click }) {
    const ticks = page.getByRole("listbox", { name: "Past ticks of nightly-report" });
    await click(pages.getByRole("link", { name: "Schedules" }), ticks.getByRole("option"));
    await click(ticks.getByRole("option").last(), page.getByRole("link", { name: "Its job" }));
  },
  async inTerminal({ run }) {
    must(/nightly-report.*Z: /.test(await run("schedules", "list")), "the list has the last tick's job");
  },
};

const concurrency: Task = {
  name: "change a queue's concurrency",
  async inConsole({ page, fill, click }) {
    const limit = page.getByRole("menuitem", { name: "Limit…" });
    await click(page.getByRole("button", { name: "Acts on media" }), limit);
    await click(limit, page.getByRole("alertdialog"));
    await fill(page.getByLabel("How many jobs run at a time"), "3");
    await click(
      page.getByRole("button", { name: "Limit", exact: true }),
      page.getByText("at most 3 at a time"),
    );
  },
  async inTerminal({ run }) {
    await run("queues", "limit", "media", "--concurrency", "3");
  },
  async isSo(night) {
    must((await queueOf(night, "media")).limits.concurrency === 3, "media runs at most 3 at a time");
  },
};

interface Crowd {
  readonly keys: readonly { readonly key: string; readonly running: number }[];
}

const FLOODS = "its catalogs are empty";

const whoFloods: Task = {
  name: "who floods, and hold that key",
  async inConsole({ page, fill, click }) {
    const crowd = page.getByRole("menuitem", { name: "Types and keys…" });
    const row = page.getByRole("region", { name: "By key" }).getByRole("row", { name: SUPPLIER });
    await click(page.getByRole("button", { name: "Acts on imports" }), crowd);
    await click(crowd, row.locator('[data-title="Running"]', { hasText: new RegExp(`^${IMPORTS}$`) }));
    await click(row.getByRole("button", { name: /^Pause or limit/ }), page.getByText("not failed"));
    await fill(page.getByRole("textbox", { name: "Reason" }), FLOODS);
    await click(
      page.getByRole("button", { name: "Pause", exact: true }),
      queueRow(page, "imports").getByText(`key ${SUPPLIER}`),
    );
  },
  async inTerminal({ run }) {
    const printed = await run("queues", "crowd", "imports");
    must(printed.includes(`key ${SUPPLIER}`), "the keys are listed");
    await run("queues", "pause", "imports", "--key", SUPPLIER, "--reason", FLOODS);
  },
  async isSo(night) {
    const { keys } = await night.call<Crowd>("queues/imports/crowd");
    must(
      keys.some(({ key, running }) => key === SUPPLIER && running === IMPORTS),
      "its imports go on",
    );
    const { curbs, paused } = await queueOf(night, "imports");
    must(
      paused === null && curbs.some(({ key, reason }) => key === SUPPLIER && reason === FLOODS),
      "the key is held, and its queue is not",
    );
  },
};

const whoDidWhat: Task = {
  name: "who did what",
  async inConsole({ page, pages, click }) {
    await click(pages.getByRole("link", { name: "Acts" }), page.getByRole("link", { name: "Audit log" }));
    await click(
      page.getByRole("link", { name: "Audit log" }),
      page.getByRole("row").filter({ hasText: "limited" }),
    );
  },
  async inTerminal({ run }) {
    must((await run("audit", "list")).includes("the printer is on fire"), "the log has the reason");
  },
  async isSo(night) {
    const log = await night.call<readonly Entry[]>(LOG);
    const has = (as: string, queue: string) => log.some((entry) => entry.as === as && entry.queue === queue);
    const all = has("paused", "documents") && has("resumed", "documents") && has("limited", "media");
    must(all, "the log has what was done before");
  },
};

/** Keys are configuration: a terminal makes one and starts the API anew; in the console the operator changes to it. */
const rotateKey: Task = {
  name: "rotate a key",
  async inConsole({ page, fill, click }, night) {
    const next = await createKey(night);
    await night.restartApi([night.key.entry, next.entry]);
    await page.getByText("Live", { exact: true }).waitFor();
    await click(page.getByRole("button", { name: "Sign out" }), page.getByLabel("Key", { exact: true }));
    await fill(page.getByLabel("Key", { exact: true }), next.key);
    await click(page.getByRole("button", { name: "Sign in" }), page.locator(".overview"));
  },
  async inTerminal({ run, type }, night) {
    const next = JSON.parse(await run("keys", "create", ...NIGHT_KEY, "--json")) as Key;
    await type("edit HOLDFAST_API_KEYS, start the API anew", () =>
      night.restartApi([night.key.entry, next.entry]),
    );
    const authorization = `Bearer ${next.key}`;
    must((await fetch(`${night.url}/queues`, { headers: { authorization } })).ok, "the new key is known");
    await night.call("queues");
  },
};

async function createKey({ env }: Night): Promise<Key> {
  return JSON.parse((await runCli(env, ["keys", "create", ...NIGHT_KEY, "--json"])).stdout) as Key;
}

const drain: Task = {
  name: "drain a queue",
  async inConsole({ page, fill, click }, night) {
    const row = queueRow(page, "imports");
    await choosePause(page, click, "imports");
    await fill(page.getByRole("textbox", { name: "Reason" }), "drain before the deploy");
    await click(
      page.getByRole("button", { name: "Pause", exact: true }),
      row.getByText("drain before the deploy"),
    );
    await openGate(night.redisUrl, night.cast.gate);
    await row.locator('[data-title="Running, now"]', { hasText: /^0$/ }).waitFor();
  },
  async inTerminal({ run }, night) {
    await run("queues", "pause", "imports", "--reason", "drain before the deploy");
    await openGate(night.redisUrl, night.cast.gate);
    await untilAnswer<{ queues: { name: string; active: number }[] }>(night.call, "queues", ({ queues }) =>
      queues.some(({ name, active }) => name === "imports" && active === 0),
    );
    const { active } = JSON.parse(await run("queues", "show", "imports", "--json"));
    must(active === 0, "no import runs any more");
  },
  async isSo(night) {
    const { paused, active } = await queueOf(night, "imports");
    must(paused?.reason === "drain before the deploy" && active === 0, "imports is paused, and runs none");
  },
};

/** Of the day, in UTC, with two digits. */
function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(11, 13);
}

/** The chart ends now, and is a day wide. */
async function pointAt(page: Page, chart: Locator, ms: number): Promise<void> {
  const box = await chart.boundingBox();
  if (box === null) throw new Error("The chart is not visible");
  const share = 1 - (Date.now() - ms) / DAY_MS;
  await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
}

const atThree: Task = {
  name: "what happened at 03:00",
  async inConsole({ page, act, click }, { cast }) {
    const region = page.getByRole("region", { name: "Throughput" });
    await click(region.getByRole("button", { name: "24 h" }), region.getByText(/^\d+ marks/));
    await click(region.getByText(/^\d+ marks/), region.getByText(`${hourOf(cast.pausedMs)}:00 UTC Paused`));
    const hours = `${hourOf(cast.pausedMs - HOUR_MS)}|${hourOf(cast.pausedMs)}`;
    const label = region.locator("figcaption").getByText(new RegExp(`(${hours}):[0-5]0 UTC$`));
    await act(
      "point at that hour",
      () => pointAt(page, region.locator(".u-over"), cast.pausedMs),
      () => label.waitFor(),
    );
  },
  async inTerminal({ run }, { cast }) {
    const at = (ms: number) => new Date(cast.pausedMs + ms).toISOString();
    const span = ["--from", at(-HOUR_MS / 2), "--to", at(HOUR_MS / 2)];
    must((await run("history", ...span)).includes("the partner is down"), "the mark of that hour is there");
  },
};

export const tasksOnService = {
  pause,
  resume,
  resolveDoubts,
  busyWorkers,
  theDigest,
  concurrency,
  whoFloods,
  whoDidWhat,
  rotateKey,
  drain,
  atThree,
};
