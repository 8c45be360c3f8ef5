import axe, { type AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { onTestFinished } from "./test-scope.ts";
import { until } from "./until.ts";

const TIMEOUT_MS = 40_000;

/** A console page in its own browser, closed with the test. */
export interface ConsolePage {
  readonly page: Page;
  /** The browser's complaints, and fetches from other origins. */
  readonly complaints: readonly string[];
  /** Opens a page by its path in the console, such as `jobs?state=failed`, and waits until it is live. */
  open(path: string): Promise<void>;
}

export async function openConsole(
  browser: Browser,
  /** Of the service, such as `http://127.0.0.1:3000`. */
  url: string,
  options: BrowserContextOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS); // sooner than the test's own, because it says what was missing
  return {
    page,
    complaints: watch(page, new URL(url).origin),
    async open(path) {
      await page.goto(`${url}/console/${path}`);
      await page.getByText("Live", { exact: true }).waitFor();
    },
  };
}

/** Waits until the page has loaded its content. */
export async function untilLoaded(page: Page): Promise<void> {
  await until("nothing is loading", async () => (await page.getByText("Loading…").count()) === 0);
  await page
    .locator(
      "[role=row], [role=listbox], .timeline, .overview, .acts, .found, .empty, main .section, main [role=alert]",
    )
    .first()
    .waitFor();
}

/** The row of a queue on the overview. */
export function queueRow(page: Page, name: string): Locator {
  return page
    .getByRole("region", { name: "Queues, table" })
    .getByRole("row")
    .filter({ has: page.getByRole("button", { name: `Types of ${name}`, exact: true }) });
}

/**
 * Opens the menu of a row, such as a queue's, and chooses from it. A menu keeps what it was opened with, and a page can be 2 s old when it
 * is opened: until it knows the act, the menu is opened anew.
 */
export async function chooseAct(page: Page, of: string, act: string): Promise<void> {
  const item = page.getByRole("menuitem", { name: act });
  await until(`${of} can be told "${act}"`, async () => {
    await page.getByRole("button", { name: `Acts on ${of}`, exact: true }).click();
    await page.getByRole("menu").waitFor();
    if ((await item.count()) > 0) return true;
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    return false;
  });
  await item.click();
}

/** Opens the types of a queue. @returns their table */
export async function openTypes(page: Page, queue: string): Promise<Locator> {
  await page.getByRole("button", { name: `Types of ${queue}`, exact: true }).click();
  return page.getByRole("region", { name: `Types of ${queue}, table` });
}

/** A part of the page that moved without anybody's doing. */
interface Shift {
  /** Share of the screen that moved, times how far; Chromium's score. */
  readonly value: number;
  readonly what: readonly string[];
}

const observeShifts = `
  globalThis.layoutShifts = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput) layoutShifts.push({
        value,
        what: sources.map(({ node, previousRect: { y: from }, currentRect: { y: to } }) =>
          (node?.outerHTML ?? node?.textContent ?? "").slice(0, 120) + " from " + from + " to " + to),
      });
  }).observe({ type: "layout-shift", buffered: true });`;

const twoFrames = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))";

/**
 * From the next navigation on, each answer arrives after the page is drawn without it, as over a slow network.
 *
 * @returns what has moved since the latest navigation
 */
export async function watchShifts(page: Page): Promise<() => Promise<readonly Shift[]>> {
  await page.addInitScript(observeShifts);
  await page.route(/.*/, async (route) => {
    const isData = route.request().resourceType() === "fetch";
    if (isData) await page.evaluate(twoFrames).catch(() => {}); // the page may be gone
    await route.continue().catch(() => {});
  });
  return async () => {
    await page.evaluate(twoFrames);
    return page.evaluate<Shift[]>("layoutShifts");
  };
}

function watch(page: Page, home: string): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== home) complaints.push(`fetched ${request.url()}`);
  });
  return complaints;
}

/** A window that fades in has other colours for a moment. What never ends is not waited for. */
const ANIMATIONS_OVER = `Promise.allSettled(document.getAnimations()
  .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity)
  .map(({ finished }) => finished)).then(() => {})`;

/**
 * The issues that axe finds on a page, one line per element.
 *
 * @param rules only these
 */
export async function accessibilityFaults(page: Page, rules?: readonly string[]): Promise<string[]> {
  // Half a megabyte; it stays in a page until the next navigation.
  if (await page.evaluate("typeof axe === 'undefined'")) await page.evaluate(axe.source);
  const options = {
    resultTypes: ["violations"],
    preload: false,
    ...(rules !== undefined && { runOnly: rules }),
  };
  await page.evaluate(ANIMATIONS_OVER);
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
  );
}
