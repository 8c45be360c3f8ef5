import type { Browser, Locator, Page } from "playwright-core";
import type { Night } from "./night.ts";
import { runCli } from "./terminal.ts";

/** One action of a task, and how long the machine took until its result was there. */
export interface Action {
  readonly what: string;
  readonly ms: number;
  /** How much of it the command itself used of a processor. */
  readonly cpuMs?: number;
}

const VISIBLE_WITHIN_MS = 20_000;

/** An operator at the console, whose actions are counted: a click, a key, a field filled in, a page opened. */
export interface Desk {
  readonly page: Page;
  /** The links to the pages. */
  readonly pages: Locator;
  readonly actions: readonly Action[];
  /** @param seen what the action makes visible */
  act(what: string, doing: () => Promise<unknown>, seen: () => Promise<unknown>): Promise<void>;
  click(what: Locator, seen: Locator): Promise<void>;
  /** Its text shows at once, so nothing else is waited for. */
  fill(field: Locator, text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Signs in, and leaves the overview open: that is how an operator has the console all night. */
export async function openDesk(browser: Browser, { url, key }: Night): Promise<Desk> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    timezoneId: "UTC",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(VISIBLE_WITHIN_MS);
  await page.goto(`${url}/console/`);
  await page.getByLabel("Key", { exact: true }).fill(key.key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await live(page);
  const actions: Action[] = [];
  const act: Desk["act"] = async (what, doing, seen) => {
    const began = performance.now();
    await doing();
    await seen();
    actions.push({ what, ms: performance.now() - began });
  };
  return {
    page,
    pages: page.getByRole("navigation", { name: "Pages" }),
    actions,
    act,
    click: (what, seen) =>
      act(
        `click ${what}`,
        async () => {
          // A person sees a row before pressing its button; a table that is pressed in the frame in which it scrolls jumps back.
          await what.scrollIntoViewIfNeeded();
          await what.click();
        },
        () => seen.first().waitFor(),
      ),
    fill: (field, text) =>
      act(
        `fill in ${field}`,
        () => field.fill(text),
        async () => {},
      ),
    stop: () => context.close(),
  };
}

/** Back to the overview, between two tasks. */
export async function backToOverview({ page }: Desk): Promise<void> {
  await page.goto(new URL("/console/", page.url()).href);
  await live(page);
}

async function live(page: Page): Promise<void> {
  await page.getByText("Live", { exact: true }).waitFor();
  await page.locator(".overview").waitFor();
}

/** An operator at a terminal, whose commands are counted. */
export interface Terminal {
  readonly actions: readonly Action[];
  /** @returns what it printed */
  run(...args: readonly string[]): Promise<string>;
  /** Something else that is typed, such as a line in a configuration. */
  type(what: string, doing: () => Promise<unknown>): Promise<void>;
}

export function openTerminal({ env }: Night): Terminal {
  const actions: Action[] = [];
  return {
    actions,
    async run(...args) {
      const { stdout, ...took } = await runCli(env, args);
      actions.push({ what: args.join(" "), ...took });
      return stdout;
    },
    async type(what, doing) {
      const began = performance.now();
      await doing();
      actions.push({ what, ms: performance.now() - began });
    },
  };
}
