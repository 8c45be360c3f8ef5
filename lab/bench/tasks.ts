import { loadavg } from "node:os";
import { launchBrowser } from "../../test/support/browser.ts";
import { runCommand, say, wholeNumber } from "../../test/support/command.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import { startRedisServer } from "../../test/support/redis-server.ts";
import { markdownTable, plainTable } from "../../test/support/report.ts";
import { type Servers, startNight } from "./tasks/night.ts";
import {
  ACTIONS_MAX,
  type Performance,
  performInConsole,
  performInTerminal,
  slowest,
} from "./tasks/perform.ts";

const usage = `npm run tasks -- [options]

Does eighteen tasks of a bad night, each once in the console (in a real browser) and once with the command line, in a Redis full of
messy jobs; counts the actions (a click, a key, a field filled in, a page opened, a command) and measures the machine's time for each,
from the action to its visible result.

  --jobs N    how many jobs are in Redis; 175000 by default
  --quick     3,000 jobs, and up to ${20_000 / 1_000} s for an action
  --markdown  prints the table for docs/night-shift.md
  --help      shows this text

Exit codes: 0 each task takes at most ${ACTIONS_MAX} actions, and each action at most a second; 1 one takes more, 2 wrong usage.`;

const options = {
  jobs: { type: "string", default: "175000" },
  quick: { type: "boolean", default: false },
  markdown: { type: "boolean", default: false },
} as const;

const ACTION_MAX_MS = 1_000;

await runCommand(usage, options, async ({ jobs, quick, markdown }) => {
  const count = quick ? 3_000 : wholeNumber("--jobs", String(jobs), 1_000, 10_000_000);
  const [server, database] = await Promise.all([
    startRedisServer({ args: ["--appendonly", "no"] }),
    startPostgres(),
  ]);
  const servers = { redisUrl: server.url, postgresUrl: database.url };
  const browser = await launchBrowser();
  try {
    const inConsole = await during(servers, count, (night) => performInConsole(browser, night));
    const inTerminal = await during(servers, count, performInTerminal);
    const head = [
      "task",
      "console, actions",
      "slowest, ms",
      "command line, actions",
      "slowest, ms",
      "processor, ms",
    ];
    const rows = inConsole.map((done, index) => [
      done.task,
      ...figures(done),
      ...figures(inTerminal[index]),
      processorMs(inTerminal[index]),
    ]);
    say((markdown ? markdownTable : plainTable)({ head, rows }));
    say(`${count} jobs; load of the machine ${loadavg()[0]?.toFixed(1)}.`);
    const faults = [...inConsole, ...inTerminal].flatMap((done) =>
      faultsOf(done, quick ? 20_000 : ACTION_MAX_MS),
    );
    for (const fault of faults) say(fault);
    return faults.length === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await Promise.all([server.stop(), database.stop()]);
  }
});

async function during<T>(
  servers: Servers,
  jobs: number,
  use: (night: Awaited<ReturnType<typeof startNight>>) => Promise<T>,
): Promise<T> {
  const night = await startNight(servers, jobs);
  try {
    return await use(night);
  } finally {
    await night.stop();
  }
}

function figures(done: Performance | undefined): [actions: string, slowestMs: string] {
  if (done === undefined) return ["–", "–"];
  return [String(done.actions.length), String(Math.round(slowest(done).ms))];
}

/** The most that a command used of a processor: what it would take at least on a machine that does nothing else. */
function processorMs(done: Performance | undefined): string {
  return String(Math.round(Math.max(0, ...(done?.actions ?? []).map(({ cpuMs = 0 }) => cpuMs))));
}

function faultsOf(done: Performance, mostMs: number): string[] {
  const { what, ms } = slowest(done);
  return [
    ...(done.failure === undefined ? [] : [`${done.task}: ${done.failure}`]),
    ...(done.actions.length > ACTIONS_MAX ? [`${done.task}: ${done.actions.length} actions`] : []),
    ...(ms > mostMs ? [`${done.task}: ${Math.round(ms)} ms for "${what}"`] : []),
  ];
}
