import { createReadStream } from "node:fs";
import { text } from "node:stream/consumers";
import { queueRow } from "../../../test/support/console-page.ts";
import { untilAnswer } from "./answers.ts";
import type { Night } from "./night.ts";
import { TO_CANCEL } from "./seed.ts";
import { must, type Task } from "./task.ts";

const REASON = "bad deploy 7f3a";
/** Of the failures that are to be retried. */
const REFUSED = "connect ECONNREFUSED";

interface Acts {
  readonly acts: readonly {
    readonly id: string;
    readonly act: string;
    readonly reason: string;
    readonly rate: string | null;
    readonly done: number;
    readonly endedAt: string | null;
  }[];
}

const findByKey: Task = {
  name: "find a job by its key",
  async inConsole({ page, act, fill, click }, { cast }) {
    const box = page.getByLabel("Search all jobs");
    await act(
      "press /",
      () => page.keyboard.press("/"),
      () => box.and(page.locator(":focus")).waitFor(),
    );
    await fill(box, cast.wantedKey);
    const found = page.getByRole("link", { name: cast.wantedKey });
    await act(
      "press Enter",
      () => page.keyboard.press("Enter"),
      () => found.waitFor(),
    );
    await click(found, page.locator(".timeline"));
  },
  async inTerminal({ run }, { cast }) {
    const listed = JSON.parse(await run("jobs", "list", "--key", cast.wantedKey, "--json"));
    must((await run("jobs", "show", listed.id)).includes(cast.wantedKey), "the job has the key");
  },
};

/** A customer asks; the answer is what the mail server said. */
const wasItSent: Task = {
  name: "was this mail sent",
  async inConsole({ page, act, fill, click }, { call, cast }) {
    const box = page.getByLabel("Search all jobs");
    await act(
      "press /",
      () => page.keyboard.press("/"),
      () => box.and(page.locator(":focus")).waitFor(),
    );
    await fill(box, cast.wantedEmail);
    const found = page
      .getByRole("region", { name: "With this value" })
      .getByRole("link", { name: cast.wantedKey });
    await act(
      "press Enter",
      () => page.keyboard.press("Enter"),
      () => found.waitFor(),
    );
    const answer = page.locator("details.answer");
    await click(found, answer.locator("summary"));
    await click(answer.locator("summary"), answer.getByText(await messageOf(call, cast.wantedEmail)));
  },
  async inTerminal({ run }, { call, cast }) {
    const listed = JSON.parse(await run("jobs", "list", "--search", cast.wantedEmail, "--json"));
    const shown = await run("jobs", "show", listed.id);
    must(shown.includes(await messageOf(call, cast.wantedEmail)), "what the mail server answered is shown");
  },
};

/** The id that the mail server gave to the one mail to that address, as the service has it. */
async function messageOf(call: Night["call"], email: string): Promise<string> {
  const { jobs } = await call<{ readonly jobs: readonly { readonly id: string }[] }>(
    `jobs?search=${encodeURIComponent(email)}`,
  );
  must(jobs.length === 1, `one job has the address ${email}`);
  const { effects } = await call<{ readonly effects: unknown }>(`jobs/${jobs[0]?.id}`);
  const [message] = /<order-confirmation\.[^>]+>/.exec(JSON.stringify(effects)) ?? [];
  if (message === undefined) throw new Error("The service has no answer of the mail server");
  return message;
}

const retrySlowly: Task = {
  name: "retry one reason, slowly",
  async inConsole({ page, pages, fill, click }, night) {
    const row = page.getByRole("row").filter({ hasText: REFUSED });
    await click(pages.getByRole("link", { name: /^Failed/ }), row);
    await click(row.getByRole("button", { name: /^Retry/ }), page.getByRole("alertdialog"));
    await fill(page.getByRole("textbox", { name: "Reason" }), "the partner is back");
    await fill(page.getByLabel(/At most/), "50/s");
    await click(page.getByRole("button", { name: /^Retry \d/ }), page.getByRole("progressbar"));
    await stopActs(night);
  },
  async inTerminal({ run }, night) {
    const groups = (await run("failures", "list", "--json")).trim().split("\n");
    const group = groups.map((line) => JSON.parse(line)).find(({ message }) => message.includes(REFUSED));
    const which = ["--type", group.type, "--code", group.code, "--message-pattern", group.messagePattern];
    const how = ["--reason", "the partner is back", "--rate", "50/s", "--yes", "--no-wait"];
    await run("jobs", "retry", ...which, ...how);
    await stopActs(night);
  },
  async isSo({ call }) {
    const { acts } = await call<Acts>("jobs/acts?limit=20");
    const isAsked = acts.some(
      ({ act, reason, rate }) => act === "retry" && reason === "the partner is back" && rate === "50/s",
    );
    must(isAsked, "the act is the one that was asked for");
  },
};

/** What is slow on purpose must not disturb the next task. */
async function stopActs({ call }: Night): Promise<void> {
  const begun = (answer: Acts) => answer.acts.length > 0;
  const { acts } = await untilAnswer<Acts>(call, "jobs/acts?limit=20", begun);
  for (const { id, endedAt } of acts)
    if (endedAt === null) await call(`jobs/acts/${id}/stop`, { method: "POST" }).catch(() => {});
  await untilAnswer<Acts>(call, "jobs/acts?limit=20", (answer) =>
    answer.acts.every((one) => one.endedAt !== null),
  );
}

const cancelMany: Task = {
  name: `cancel ${TO_CANCEL} jobs by filter`,
  async inConsole({ page, fill, click }, night) {
    const delayed = queueRow(page, "imports").locator('[data-title="Delayed, now"]').getByRole("link");
    await click(delayed, page.getByRole("row").filter({ hasText: "bad-" }));
    await click(page.getByRole("button", { name: "Cancel all…" }), page.getByText(`${TO_CANCEL} jobs`));
    await fill(page.getByRole("textbox", { name: "Reason" }), REASON);
    await click(page.getByRole("button", { name: "Cancel them" }), page.locator(".acts").getByText(REASON));
    await untilCancelled(night);
  },
  async inTerminal({ run }, night) {
    const which = ["--tag", night.cast.badTag];
    const counted = await run("jobs", "cancel", ...which, "--dry-run");
    must(counted.includes(String(TO_CANCEL)), `${TO_CANCEL} match`);
    await run("jobs", "cancel", ...which, "--reason", REASON, "--yes", "--no-wait");
    await untilCancelled(night);
  },
  async isSo({ call, cast }) {
    const { jobs } = await call<Listed>(`jobs?limit=200&tag=${encodeURIComponent(cast.badTag)}`);
    const isCancelled = jobs.every(({ error }) => error?.code === "CANCELLED");
    must(jobs.length > 0 && isCancelled, "the jobs of the bad deploy are cancelled");
  },
};

interface Listed {
  readonly jobs: readonly { readonly error: { readonly code: string } | null }[];
}

async function untilCancelled(night: Night): Promise<void> {
  await untilAnswer<Acts>(night.call, "jobs/acts?limit=20", ({ acts }) =>
    acts.some(({ act, done, endedAt }) => act === "cancel" && done === TO_CANCEL && endedAt !== null),
  );
}

const wrongPayload: Task = {
  name: "a wrong payload, with its stack",
  async inConsole({ page, pages, click }) {
    const row = page.getByRole("row").filter({ hasText: "has no VAT number" });
    await click(pages.getByRole("link", { name: /^Failed/ }), row);
    const frame = page.getByRole("region", { name: "Error" }).getByText(/^at .*shop\.ts/);
    await click(row.getByRole("link", { name: "a job" }), frame.first());
    await page.getByText('"customer"').waitFor();
  },
  async inTerminal({ run }) {
    const groups = (await run("failures", "list", "--json")).trim().split("\n");
    const group = groups
      .map((line) => JSON.parse(line))
      .find(({ message }) => message.includes("no VAT number"));
    const shown = await run("jobs", "show", group.exampleId);
    must(/customer/.test(shown) && /at .*shop\.ts/.test(shown), "payload and stack are shown");
  },
};

const memory: Task = {
  name: "what fills the memory, and clean it",
  async inConsole({ page, act, fill, click }, night) {
    const redis = page.getByRole("region", { name: "Redis" });
    await click(redis.getByRole("link", { name: /completed$/ }), page.getByText(/^The first 100 jobs/));
    const only = page.getByLabel("Type");
    const rows = page.getByRole("row").filter({ hasText: "nightly-report" });
    await act(
      "choose nightly-report",
      () => only.selectOption("nightly-report"),
      () => rows.first().waitFor(),
    );
    await click(
      page.getByRole("button", { name: "Delete all…" }),
      page.getByRole("alertdialog").getByRole("status"),
    );
    await fill(page.getByRole("textbox", { name: "Reason" }), "memory");
    await click(page.getByRole("button", { name: "Delete them" }), page.locator(".acts").getByText("memory"));
    await stopActs(night);
  },
  async inTerminal({ run }, night) {
    must(/MiB/.test(await run("overview")), "the overview has the memory");
    const which = ["--type", "nightly-report", "--state", "completed"];
    await run("jobs", "delete", ...which, "--reason", "memory", "--yes", "--no-wait");
    await stopActs(night);
  },
};

const exportJobs: Task = {
  name: "export failed jobs",
  async inConsole({ page, act, click }) {
    const types = page.getByRole("region", { name: "Types of documents, table" });
    await click(page.getByRole("button", { name: "Types of documents" }), types);
    await click(types.getByRole("link", { name: "invoice-pdf" }), page.getByRole("row").nth(1));
    const failed = page.getByRole("row").filter({ hasText: "failed" });
    await act(
      "choose failed",
      () => page.getByLabel("State").selectOption("failed"),
      () => failed.first().waitFor(),
    );
    const saved = page
      .waitForEvent("download")
      .then(async (download) => text(createReadStream(await download.path())));
    await act(
      "click Export CSV",
      () => page.getByText("Export CSV").click(),
      () => saved,
    );
    must((await saved).includes("invoice-pdf"), "the file has the jobs");
  },
  async inTerminal({ run }) {
    const file = await run("jobs", "export", "--type", "invoice-pdf", "--state", "failed");
    must(file.split("\n").length > 2, "the file has the jobs");
  },
};

export const tasksOnJobs = {
  findByKey,
  wasItSent,
  retrySlowly,
  cancelMany,
  wrongPayload,
  memory,
  exportJobs,
};
