import { say } from "../../../test/support/command.ts";
import {
  commonFacts,
  factsLine,
  markdownTable,
  plainTable,
  summaryHead,
  type Table,
  writeSummary,
  writeWhole,
} from "../../../test/support/report.ts";
import { groupBy } from "../../lib/group-by.ts";
import { modes } from "./effect-names.ts";
import type { Wrong } from "./judge.ts";
import { legend, matricesOf } from "./matrix.ts";
import { brokenRows, controlledLibraries, hasHeld, isControl, isDenied, type Results } from "./results.ts";
import type { RowEnd } from "./run-rows.ts";
import { versionsOfLibraries, versionsOfRuntimes } from "./versions.ts";

const wrongs: readonly Wrong[] = [
  "acted again",
  "library acted again",
  "falsely not done",
  "falsely done",
  "not done without proof",
  "no verdict",
  "in doubt beside neighbours",
  "result lost",
  "needlessly in doubt",
];

/** @param showsRows also those that are right */
export function printResults(results: Results, showsRows: boolean): void {
  const ends = endsOf(results);
  const shown = showsRows ? ends : brokenRows(ends).filter((end) => !isControl(end) && !isDenied(end));
  for (const { runtime, end } of inRuntimes(results).filter(({ end }) => shown.includes(end)))
    say(`${end.wrong === undefined ? " " : "✗"} ${runtime} ${rowText(end)}`);
  for (const line of oddities(results)) say(line);
  say(plainTable(totalsTable(results)));
  const { caught, missed } = controlledLibraries(results);
  const control = missed.length === 0 ? "caught" : `NOT caught with ${missed.join(", ")}`;
  say(
    `${hasHeld(results) ? "✓" : "✗"} ${ends.length} rows in ${results.seconds} s; control with ${caught.length} libraries: ${control}`,
  );
}

function rowText(end: RowEnd): string {
  const { row, acted, attempts, verdict, wrong, error, evidence } = end;
  const outcome = `acted ${acted} times in ${attempts} attempts, ${verdict ?? "no verdict"}`;
  const why = [wrong, error, evidence && `seen: ${evidence.join("; ") || "nothing"}`]
    .filter(Boolean)
    .join(" | ");
  return `${row.library}, ${row.mode}: ${row.fault}: ${outcome}${why && ` | ${why}`}`;
}

const TITLE = "Evidence: what client libraries do to an effect";
/** In the summary. */
const MOST_FAULTS = 5;
const MOST_ODDITIES = 3;

/** @param isRecorded whether the summary is written as well */
export function writeReport(results: Results, isRecorded: boolean): void {
  writeWhole("evidence", whole(results));
  if (isRecorded) writeSummary("evidence", summary(results));
}

function summary(results: Results): string[] {
  const { head, rows } = needlessTable(results);
  const often = [...rows].sort(([, , a], [, , b]) => Number(b) - Number(a)).slice(0, MOST_FAULTS);
  return [
    ...summaryHead(TITLE, "npm run evidence", "evidence", "lab/truth/README.md"),
    `**${headline(results)}**`,
    "",
    factsLine(factsOf(results)),
    `Libraries: ${versionsOfLibraries().join(", ")}.`,
    "",
    ...oddities(results)
      .slice(0, MOST_ODDITIES)
      .map((line) => `- ${line}`),
    "",
    "## All rows",
    "",
    ...modesExplained,
    "",
    markdownTable(totalsTable(results)),
    "",
    "## Needlessly in doubt",
    "",
    `${NEEDLESS} The ${often.length} faults with the most rows, of ${rows.length}:`,
    "",
    markdownTable({ head: head.slice(0, 3), rows: often.map((cells) => cells.slice(0, 3)) }),
    "",
    "## What a declaration denies",
    "",
    ...deniedExplained,
    "",
    markdownTable(deniedTable(results)),
    "",
    "## Sent again by the library itself",
    "",
    `${repeatsTable(results)
      .rows.map(([library, used, most]) => `${library} (${used}: up to ${most} times in one attempt)`)
      .join(", ")}. Holdfast cannot prevent that: switch it off.`,
  ];
}

function factsOf(results: Results): Record<string, string | number> {
  return {
    ...commonFacts(),
    runtimes: versionsOfRuntimes(results),
    "not installed here": results.missing.join(", ") || "none",
    seconds: results.seconds,
  };
}

const modesExplained = [
  "*As is*: as a new user uses the library. *As documented*: as its page says, with its own repeats switched off and a classifier declared.",
  "*Every classifier*: as documented, with the verdict of whichever classifier calls it not done; of effects that do more than one thing.",
  '*Control*: as is, with `onError: "not-done"`, which was the default once. *Old rule*: every classifier, and a build that believes it whatever the record shows. Both must fail.',
];

const NEEDLESS =
  "Nothing happened, and nothing says so to Holdfast: these doubts are safe, and cost an operator a look.";

const deniedExplained = [
  "A classifier says that the effect is one call. These effects make a second call at another host, through a queue or a shared pool that hands it to",
  "another asynchronous context, and that call is answered. Nobody can tell it from a neighbour's call, so Holdfast believes the refusal of the first.",
  "Without a classifier, or when a call at that host is open, lost or unseen, such effects are in doubt.",
];

function whole(results: Results): string[] {
  return [
    `# ${TITLE}`,
    "",
    "Written by `npm run evidence`; do not edit by hand. `lab/truth/README.md` says how it is measured.",
    "",
    `**${headline(results)}**`,
    "",
    markdownTable({ head: ["", ""], rows: Object.entries(factsOf(results)) }),
    "",
    `Libraries: ${versionsOfLibraries().join(", ")}.`,
    "",
    ...oddities(results).map((line) => `- ${line}`),
    "",
    "## All rows",
    "",
    ...modesExplained,
    "",
    markdownTable(totalsTable(results)),
    "",
    "## Needlessly in doubt",
    "",
    NEEDLESS,
    "",
    markdownTable(needlessTable(results)),
    "",
    "## What a declaration denies",
    "",
    ...deniedExplained,
    "",
    markdownTable(deniedTable(results)),
    "",
    "## What the evidence of a doubt shows",
    "",
    "Of effects in doubt that acted: whether the evidence says that something was sent, nothing at all, or, misleadingly, that nothing was sent.",
    "",
    markdownTable(evidenceTable(results)),
    "",
    "## Sent again by the library itself",
    "",
    "How often downstream acted in one attempt, at most, because the library sends again by itself. Holdfast cannot prevent that: switch it off.",
    "",
    markdownTable(repeatsTable(results)),
    "",
    "## Row by row",
    "",
    legend,
    "",
    ...results.runs.flatMap((run) => matricesOf(run)),
  ];
}

function headline(results: Results): string {
  const ends = endsOf(results).filter((end) => !isControl(end) && !isDenied(end));
  const count = (wrong: Wrong) => ends.filter((end) => end.wrong === wrong).length;
  const documented = ends.filter(
    ({ wrong, row }) => wrong === "needlessly in doubt" && row.mode === "as documented",
  ).length;
  const { caught, missed } = controlledLibraries(results);
  return (
    `${ends.length} rows: ${count("acted again") + count("library acted again")} acted again, ` +
    `${count("falsely not done") + count("not done without proof")} falsely not done, ` +
    `${count("needlessly in doubt")} needlessly in doubt, ${documented} of them as documented; ` +
    `the control was caught with ${caught.length} of ${caught.length + missed.length} libraries.`
  );
}

function totalsTable(results: Results): Table {
  const groups = results.runs.flatMap(({ runtime, ends }) =>
    modes.map((mode) => ({
      runtime,
      mode,
      ends: ends.filter((end) => end.row.mode === mode && !isDenied(end)),
    })),
  );
  return {
    head: ["runtime", "used", "rows", "done", "in doubt", "not done", ...wrongs],
    rows: groups
      .filter(({ ends }) => ends.length > 0)
      .map(({ runtime, mode, ends }) => [
        runtime,
        mode,
        ends.length,
        ends.filter(({ verdict }) => verdict?.startsWith("done")).length,
        ends.filter(({ verdict }) => verdict === "in doubt").length,
        ends.filter(({ verdict }) => verdict === "not done").length,
        ...wrongs.map((wrong) => ends.filter((end) => end.wrong === wrong).length),
      ]),
  };
}

function needlessTable(results: Results): Table {
  const needless = inRuntimes(results).filter(
    ({ end }) => end.wrong === "needlessly in doubt" && !isControl(end),
  );
  const groups = groupBy(needless, ({ end }) => `${end.row.mode}\n${end.row.fault}`);
  return {
    head: ["used", "fault", "rows", "libraries"],
    rows: [...groups].map(([key, rows]) => {
      const [mode = "", fault = ""] = key.split("\n");
      return [mode, fault, rows.length, librariesOf(rows, results.runs.length)];
    }),
  };
}

/** With the runtimes, where it is not the same in all of them. */
function librariesOf(
  rows: readonly { readonly runtime: string; readonly end: RowEnd }[],
  runtimes: number,
): string {
  return [...groupBy(rows, ({ end }) => end.row.library)]
    .map(([library, own]) =>
      own.length === runtimes ? library : `${library} (${own.map(({ runtime }) => runtime).join(", ")})`,
    )
    .join(", ");
}

function deniedTable({ runs }: Results): Table {
  return {
    head: ["runtime", "used", "rows", "in doubt", "acted again"],
    rows: runs.flatMap(({ runtime, ends }) =>
      modes.flatMap((mode) => {
        const own = ends.filter((end) => isDenied(end) && end.row.mode === mode);
        const doubts = own.filter(({ verdict }) => verdict === "in doubt").length;
        const again = own.filter(
          ({ wrong }) => wrong === "acted again" || wrong === "falsely not done",
        ).length;
        return own.length === 0 ? [] : [[runtime, mode, own.length, doubts, again]];
      }),
    ),
  };
}

function evidenceTable({ runs }: Results): Table {
  const rows = runs.map(({ runtime, ends }) => {
    const isDoubt = ({ verdict, acted }: RowEnd) => verdict === "in doubt" && acted > 0;
    const doubts = ends.filter((end) => isDoubt(end) && !isControl(end));
    const isSent = ({ evidence = [] }: RowEnd) => evidence.some((text) => !text.includes("nothing sent"));
    const unseen = doubts.filter(({ evidence = [] }) => evidence.length === 0);
    const denied = doubts.filter((end) => !isSent(end) && !unseen.includes(end));
    const names = (ends: readonly RowEnd[]) => [...new Set(ends.map(({ row }) => row.library))].join(", ");
    const count = (ends: readonly RowEnd[]) => (ends.length === 0 ? "0" : `${ends.length} (${names(ends)})`);
    return [runtime, doubts.length, doubts.filter(isSent).length, count(unseen), count(denied)];
  });
  return { head: ["runtime", "in doubt, acted", "sent", "nothing seen", '"nothing sent"'], rows };
}

function repeatsTable(results: Results): Table {
  const repeated = inRuntimes(results).filter(
    ({ end }) => end.attemptsThatActed > 0 && end.acted > end.attemptsThatActed && !isControl(end),
  );
  const byLibrary = groupBy(repeated, ({ end }) => `${end.row.library}\n${end.row.mode}`);
  return {
    head: ["library", "used", "acts in one attempt", "faults"],
    rows: [...byLibrary].map(([key, rows]) => {
      const [library = "", mode = ""] = key.split("\n");
      const most = Math.max(...rows.map(({ end }) => end.acted / end.attemptsThatActed));
      return [library, mode, most, [...new Set(rows.map(({ end }) => end.row.fault))].join("; ")];
    }),
  };
}

function oddities({ runs }: Results): string[] {
  return runs.flatMap(({ runtime, unloadable, uncaught }) => [
    ...Object.entries(unloadable).map(([library, why]) => `${runtime} cannot load ${library}: ${why}`),
    ...[...groupBy(uncaught, (error) => error)].map(
      ([error, times]) => `${runtime}: nobody caught, ${times.length} times: \`${error}\``,
    ),
  ]);
}

function endsOf({ runs }: Results): RowEnd[] {
  return runs.flatMap(({ ends }) => ends);
}

function inRuntimes({ runs }: Results) {
  return runs.flatMap(({ runtime, ends }) => ends.map((end) => ({ runtime, end })));
}
