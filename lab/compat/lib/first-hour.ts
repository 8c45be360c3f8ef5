import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launchBrowser } from "../../../test/support/browser.ts";
import { endWithUs } from "../../../test/support/command.ts";
import { until } from "../../../test/support/until.ts";
import { must, newFolder } from "./folder.ts";
import type { Newcomer } from "./newcomers.ts";

const stepNames = ["init", "install", "check", "dev", "job", "reload", "test"] as const;

/** Seconds of each step. */
type Times = Readonly<Record<(typeof stepNames)[number], number>>;

const START_MS = 60_000;

/** Does all that a newcomer does in one project. @throws Error at the first step that fails */
export async function passFirstHour(newcomer: Newcomer, tarball: string): Promise<Times> {
  const folder = newFolder("first-hour");
  await newcomer.prepare(folder);
  const script = (name: string) => `${newcomer.prefix}${name}`;
  const init = await timed(() =>
    must(folder, "npm", ["exec", "--yes", `--package=${tarball}`, "--", "holdfast", "init"]),
  );
  const install = await timed(() =>
    must(folder, "npm", ["install", "--no-audit", "--no-fund", tarball], { ms: 180_000 }),
  );
  const check = await timed(() => newcomer.check(folder));
  const service = startScript(folder, script("dev"));
  try {
    const dev = await timed(() => service.untilPrinted(/Ctrl-C stops/));
    const job = await timed(() => completeInConsole(service.printed, "Hello, Ada!"));
    const reload = await timed(async () => {
      changeGreeting(join(folder, newcomer.handler));
      await service.untilPrinted(/Reloaded in .*handler/);
    });
    await completeInConsole(service.printed, "Good day, Ada!", "again");
    await service.stop();
    const test = await timed(() => must(folder, "npm", ["run", script("test")], { ms: 180_000 }));
    return { init, install, check, dev, job, reload, test };
  } finally {
    await service.stop();
  }
}

/** @returns seconds */
export async function timed(step: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await step();
  return (performance.now() - begun) / 1_000;
}

/** Starts a script of a project, with few variables of its own. */
export function startScript(folder: string, script: string, env: NodeJS.ProcessEnv = {}) {
  const { PATH, HOME } = process.env;
  const child = spawn("npm", ["run", script], {
    cwd: folder,
    env: { PATH, HOME, HOLDFAST_PORT: "0", HOLDFAST_LOG_LEVEL: "warn", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  endWithUs(child);
  const printed = { text: "" };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed.text += text;
    });
  return {
    printed,
    async untilPrinted(pattern: RegExp) {
      const isOver = () => pattern.test(printed.text) || child.exitCode !== null;
      await until(`${script} prints ${pattern}`, isOver, START_MS).catch(() => {});
      if (!pattern.test(printed.text))
        throw new Error(`${script} does not print ${pattern}:\n${printed.text}`);
    },
    stop: () => pressCtrlC(child),
  };
}

/** Also npm gets the signal, as in a terminal. */
async function pressCtrlC(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  process.kill(-child.pid, "SIGINT");
  await ended;
}

function changeGreeting(file: string): void {
  const old = readFileSync(file, "utf8");
  const changed = old.replace(/\$\{readEnv\(env\)\.GREETING\}/, "Good day");
  if (changed === old) throw new Error(`${file}: has no greeting to change`);
  writeFileSync(file, changed);
}

/** Sends the request that is on the screen, and looks at its job in the console. */
async function completeInConsole({ text }: { text: string }, result: string, key?: string): Promise<void> {
  const [, url = "", body = ""] =
    /curl -s (\S+) -H 'content-type: application\/json' -d '([^']+)'/.exec(text) ?? [];
  const request = { ...(JSON.parse(body) as object), ...(key !== undefined && { idempotencyKey: key }) };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(request) });
  const { id } = (await answer.json()) as { id: string };
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${new URL(url).origin}/console/jobs/${id}`);
    await page.getByText("completed").first().waitFor({ timeout: START_MS });
    await page.getByText(result).first().waitFor({ timeout: START_MS });
  } finally {
    await browser.close();
  }
}
