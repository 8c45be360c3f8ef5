import axe, { type AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { onTestFinished } from "vitest";
import { until } from "./until.ts";

const PATIENCE_MS = 15_000;

/** A page of the console in a browser of its own, closed with the test. */
export interface ConsolePage {
  readonly page: Page;
  /** What the browser complained of, and what it fetched from elsewhere. */
  readonly complaints: readonly string[];
  /** Opens a page by its path in the console, e.g. `jobs?state=failed`, and waits until it is live. */
  open(path: string): Promise<void>;
}

export async function openConsole(
  browser: Browser,
  /** Of the service, e.g. `http://127.0.0.1:3000`. */
  url: string,
  options: BrowserContextOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS); // sooner than the test's own, since it tells what was waited for
  return {
    page,
    complaints: watch(page, new URL(url).origin),
    async open(path) {
      await page.goto(`${url}/console/${path}`);
      await page.getByText("Live", { exact: true }).waitFor();
    },
  };
}

/** Waits until what a page shows has come. */
export async function settled(page: Page): Promise<void> {
  await until("nothing is loading", async () => (await page.getByText("Loading…").count()) === 0);
  await page.locator("[role=row], [role=listbox], .timeline, .overview, .empty").first().waitFor();
}

function watch(page: Page, home: string): string[] {
  const told: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) told.push(message.text());
  });
  page.on("pageerror", (error) => told.push(error.message));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== home) told.push(`fetched ${request.url()}`);
  });
  return told;
}

/**
 * What axe has against a page as it is now: a line for each element.
 *
 * @param rules only these
 */
export async function accessibilityFaults(page: Page, rules?: readonly string[]): Promise<string[]> {
  // It is half a megabyte, and stays in a page until that loads another.
  if (await page.evaluate("typeof axe === 'undefined'")) await page.evaluate(axe.source);
  const options = {
    resultTypes: ["violations"],
    preload: false,
    ...(rules !== undefined && { runOnly: rules }),
  };
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
  );
}
