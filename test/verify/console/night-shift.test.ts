import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { type Night, startNight } from "../../../lab/bench/tasks/night.ts";
import {
  ACTIONS_MAX,
  type Performance,
  performInConsole,
  performInTerminal,
  slowest,
  tasks,
} from "../../../lab/bench/tasks/perform.ts";
import { launchBrowser } from "../../support/browser.ts";
import { startRedisServer } from "../../support/redis-server.ts";

/** `npm run tasks` does the same among 175,000, where a second is the most. */
const JOBS = 1_000;
const ACTION_MAX_MS = 20_000;

let inConsole: readonly Performance[];
let inTerminal: readonly Performance[];

beforeAll(async () => {
  const server = await startRedisServer({ args: ["--appendonly", "no"] });
  const browser = await launchBrowser();
  try {
    [inConsole, inTerminal] = await Promise.all([
      during(server.url, (night) => performInConsole(browser, night)),
      during(server.url, performInTerminal),
    ]);
  } finally {
    await browser.close();
    await server.stop();
  }
}, 300_000);

async function during<T>(redisUrl: string, use: (night: Night) => Promise<T>): Promise<T> {
  const night = await startNight({ redisUrl, postgresUrl: inject("postgresUrl") }, JOBS);
  try {
    return await use(night);
  } finally {
    await night.stop();
  }
}

/** The table of docs/night-shift.md: the number of actions in the console, and of commands. */
function documented(task: string): string[] {
  const page = readFileSync(new URL("../../../docs/night-shift.md", import.meta.url), "utf8");
  const row = page.split("\n").find((line) => line.startsWith(`| ${task} |`)) ?? "";
  const cells = row.split("|").map((cell) => cell.trim());
  return [cells[2] ?? "", cells[4] ?? ""];
}

describe("a task of a bad night", () => {
  it.each(tasks.map(({ name }, index) => ({ name, index })))(
    "takes at most five actions, as documented: $name",
    ({ name, index }) => {
      const places = [inConsole[index], inTerminal[index]].map((done) => done ?? { task: name, actions: [] });

      expect(places.map(({ failure }) => failure)).toEqual([undefined, undefined]);
      expect(places.map(({ actions }) => String(actions.length))).toEqual(documented(name));
      for (const done of places) {
        expect(done.actions.length).toBeLessThanOrEqual(ACTIONS_MAX);
        expect(slowest(done).ms).toBeLessThan(ACTION_MAX_MS);
      }
    },
  );
});
