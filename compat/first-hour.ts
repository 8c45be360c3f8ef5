import { runCommand, say } from "../test/support/command.ts";
import { plainTable } from "../test/support/report.ts";
import { passFirstHour, stepNames, type Times } from "./lib/first-hour.ts";
import { pack } from "./lib/folder.ts";
import { type Newcomer, newcomers } from "./lib/newcomers.ts";

const usage = `npm run first-hour

Packs Holdfast and does what a newcomer does with the package, in an empty folder, an Express and a Next.js application: holdfast init,
install, check types, holdfast dev, a job that the console shows as completed, a change that is loaded anew, and the job's test with its
crash sweep. Needs the npm registry, and takes about three minutes.

  --help  shows this text

Exit codes: 0 all of it works in time, 1 something does not, 2 wrong usage.`;

/** For the steps of a newcomer, without the application that was there before. */
const LIMIT_S = 180;

await runCommand(usage, {}, async () => {
  const { tarball } = await pack();
  const rows: [Newcomer, Times][] = [];
  for (const newcomer of newcomers) rows.push([newcomer, await passFirstHour(newcomer, tarball)]);
  const seconds = (value: number) => value.toFixed(1);
  say(
    plainTable({
      head: ["project", ...stepNames, "all, s"],
      rows: rows.map(([{ name }, times]) => [
        name,
        ...stepNames.map((step) => seconds(times[step])),
        seconds(sumOf(times)),
      ]),
    }),
  );
  return rows.every(([, times]) => sumOf(times) < LIMIT_S) ? 0 : 1;
});

function sumOf(times: Times): number {
  return Object.values(times).reduce((sum, value) => sum + value, 0);
}
