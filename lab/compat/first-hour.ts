import { runCommand, say } from "../../test/support/command.ts";
import { plainTable } from "../../test/support/report.ts";
import { passDatabaseHour } from "./lib/database-hour.ts";
import { passFirstHour } from "./lib/first-hour.ts";
import { pack } from "./lib/folder.ts";
import { newcomers } from "./lib/newcomers.ts";

const usage = `npm run first-hour -- [--only TEXT]

Packs Holdfast and does what a newcomer does with the package, in an empty folder, an Express and a Next.js application: holdfast init,
install, check types, holdfast dev, a job that the console shows as completed, a change that is loaded anew, and the job's test with its
crash sweep. Then an application of Express and Drizzle gets the outbox and a database effect: its orders submit jobs in their own
transactions, an order that is rolled back submits none, and the job's crash sweep passes. Needs the npm registry, and takes about five
minutes.

  --only TEXT  only the projects whose name has this text, e.g. "Drizzle"
  --help       shows this text

Exit codes: 0 all of it works in time, 1 something does not, 2 wrong usage.`;

/** For the steps of a newcomer, without the application that was there before. */
const LIMIT_S = 180;
const DATABASE = "Express, Drizzle, PostgreSQL";

await runCommand(usage, { only: { type: "string", default: "" } }, async ({ only }) => {
  const { tarball } = await pack();
  const hours: [string, Readonly<Record<string, number>>][] = [];
  for (const newcomer of newcomers)
    if (newcomer.name.includes(only)) hours.push([newcomer.name, await passFirstHour(newcomer, tarball)]);
  if (DATABASE.includes(only)) hours.push([DATABASE, await passDatabaseHour(tarball)]);
  for (const [name, times] of hours) {
    const steps = [...Object.entries(times), ["all, s", sumOf(times)] as const];
    say(
      plainTable({
        head: [name, ...steps.map(([step]) => step)],
        rows: [["", ...steps.map(([, seconds]) => seconds.toFixed(1))]],
      }),
    );
  }
  return hours.length > 0 && hours.every(([, times]) => sumOf(times) < LIMIT_S) ? 0 : 1;
});

function sumOf(times: Readonly<Record<string, number>>): number {
  return Object.values(times).reduce((sum, value) => sum + value, 0);
}
