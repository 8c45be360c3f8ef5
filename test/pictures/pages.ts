import type { Page } from "playwright-core";
import { until } from "../support/until.ts";

/** What is shown: a page, and what a person does on it first. */
export interface Shot {
  readonly name: string;
  /** In the console. */
  readonly path: string;
  readonly act?: (page: Page) => Promise<void>;
}

/** Jobs that have a page worth a picture. */
export interface KnownJobs {
  readonly failed: string;
  readonly inDoubt: string;
  readonly running: string;
  readonly completed: string;
  readonly parent: string;
  /** A guarded effect in doubt, and one that is done. */
  readonly call: string;
  readonly doneCall: string;
  /** As a provider would write it. */
  readonly export: string;
}

const press = (name: string | RegExp) => (page: Page) => page.getByRole("button", { name }).first().click();

/** Opens a row's menu, and chooses. */
const fromMenu = (of: string, act: string) => async (page: Page) => {
  await page.getByRole("button", { name: `Acts on ${of}` }).click();
  await page.getByRole("menuitem", { name: act }).click();
};

async function quietWorker(page: Page): Promise<void> {
  await page.getByText(/^\d+ workers?, /).click();
  await page
    .getByRole("button", { name: /^Acts on \S+:\d+$/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Quiet…" }).click();
}

async function submitAgain(page: Page): Promise<void> {
  await page.getByRole("button", { name: "More to do" }).click();
  await page.getByRole("menuitem").click();
}

/** Every page of the console, in each of its states. */
export function shotsOf(jobs: KnownJobs): Shot[] {
  return [
    { name: "overview", path: "" },
    { name: "overview-live", path: "?range=10min" },
    { name: "overview-marks", path: "?range=24h", act: (page) => page.getByText(/^\d+ marks?: /).click() },
    { name: "overview-14-days", path: "?range=14d" },
    { name: "overview-types", path: "", act: press("Types of default") },
    { name: "overview-pause", path: "", act: fromMenu("default", "Pause…") },
    { name: "overview-resume", path: "", act: fromMenu("media", "Resume…") },
    { name: "overview-workers", path: "", act: (page) => page.getByText(/^\d+ workers?, /).click() },
    { name: "overview-quiet", path: "", act: quietWorker },
    { name: "overview-crowd", path: "", act: fromMenu("default", "Types and keys…") },
    { name: "jobs", path: "jobs?type=order-confirmation" },
    { name: "jobs-filters", path: "jobs?state=failed&errorText=VAT" },
    { name: "jobs-none", path: "jobs?idempotencyKey=never-used" },
    { name: "job", path: `jobs/${jobs.failed}` },
    { name: "job-retry", path: `jobs/${jobs.failed}`, act: press("Retry") },
    { name: "job-again", path: `jobs/${jobs.failed}`, act: submitAgain },
    { name: "job-in-doubt", path: `jobs/${jobs.inDoubt}` },
    { name: "job-running", path: `jobs/${jobs.running}` },
    { name: "job-completed", path: `jobs/${jobs.completed}` },
    { name: "job-of-a-flow", path: `jobs/${jobs.parent}` },
    { name: "job-unknown", path: "jobs/nonsense" },
    { name: "failed", path: "failed" },
    { name: "failed-reason", path: "failed?type=partner-webhook&code=HANDLER_FAILED" },
    { name: "retry", path: "failed", act: press(/^Retry all \d/) },
    { name: "doubts", path: "doubts" },
    { name: "doubts-resolved", path: "doubts?view=resolved" },
    { name: "resolve", path: "doubts", act: openResolve },
    { name: "resolve-many", path: "doubts", act: openResolveMany },
    { name: "import", path: "doubts", act: (page) => openImport(page, jobs.export) },
    { name: "guarded", path: "guarded" },
    { name: "guarded-in-doubt", path: `guarded/${jobs.call}` },
    { name: "guarded-resolve", path: `guarded/${jobs.call}`, act: openResolve },
    { name: "guarded-done", path: `guarded/${jobs.doneCall}` },
    { name: "schedules", path: "schedules" },
    { name: "schedule-tick", path: "schedules", act: chooseTick },
    { name: "schedule-more", path: "schedules", act: press("More of nightly-report") },
    { name: "schedule-run", path: "schedules", act: fromMenu("nightly-report", "Run now…") },
    { name: "schedule-new", path: "schedules", act: press("New schedule…") },
    { name: "acts", path: "acts", act: (page) => page.getByText("How they are now").first().click() },
    { name: "audit", path: "acts?view=log&by=API", act: press("send: done") },
    { name: "notices", path: "notices" },
    { name: "outbox", path: "outbox" },
    { name: "outbox-release", path: "outbox", act: press("Release…") },
    { name: "search", path: "search?q=shipped-41007" },
    { name: "search-none", path: "search?q=nothing-of-that-kind" },
    { name: "keys", path: "acts", act: (page) => page.keyboard.press("?") },
    { name: "palette", path: "acts", act: (page) => page.keyboard.press("Control+k") },
    { name: "no-page", path: "no/such/page" },
  ];
}

async function openResolve(page: Page): Promise<void> {
  await page
    .getByRole("button", { name: /^Resolve / })
    .first()
    .click();
  await page.getByText("It happened.").click();
  await page.getByLabel("Evidence").fill("The customer has forwarded us the mail.");
}

async function openResolveMany(page: Page): Promise<void> {
  for (const row of [1, 2, 3]) {
    const box = page.getByRole("row").nth(row).getByRole("checkbox");
    await until("it is selected", async () => {
      if (!(await box.isChecked())) await box.press("Space");
      return box.isChecked();
    });
  }
  await page.getByRole("button", { name: "Resolve 3…" }).click();
  await page.getByText("It happened.").click();
  await page.getByLabel("Evidence").fill("In the mail provider's export of 12:00");
}

async function openImport(page: Page, text: string): Promise<void> {
  await page.getByRole("button", { name: "Import an export…" }).click();
  const file = { name: "export.csv", mimeType: "text/csv", buffer: Buffer.from(text) };
  await page.getByLabel("File").setInputFiles(file);
  await page.getByText("in the export.").waitFor();
}

async function chooseTick(page: Page): Promise<void> {
  const ticks = page.getByRole("listbox", { name: "Past ticks of stock-sync" });
  // A phone shows the last ones at first.
  await ticks.waitFor();
  const earlier = page.getByRole("button", { name: /earlier$/ }).first();
  if (await earlier.isVisible()) await earlier.click();
  await ticks.getByRole("option", { name: "missed" }).first().click();
  await page.getByText("no scheduler submitted it in time").waitFor();
}
