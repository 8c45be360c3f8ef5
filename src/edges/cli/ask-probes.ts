import { counted } from "../../desk/counted.ts";
import type { AskProbes, ProbesAsked } from "../../desk/doubts/ask-probe.ts";
import { isNarrow } from "../../desk/filter.ts";
import type { Operator } from "../../desk/operator.ts";
import { username } from "../username.ts";
import { withOperator } from "./connections.ts";
import { exitCode, usage } from "./exit-code.ts";
import { doubtFilterOf, type FilterOptions } from "./filter-options.ts";
import { requireKnown } from "./known-names.ts";
import { type ConsentOptions, isWanted, requireConsent } from "./screen/confirm.ts";
import { print, printHint, printJson } from "./screen/output.ts";
import type { Cell } from "./screen/text.ts";

interface AskOptions extends FilterOptions, ConsentOptions {
  readonly why?: string;
  readonly all?: true;
}

type Skipped = ProbesAsked["skipped"];

/** Asks the probe of one doubt, or, after a question, of all that match. Only the application says which effects have one. */
export async function askProbes(
  id: string | undefined,
  effect: string | undefined,
  options: AskOptions,
): Promise<void> {
  const { all, why } = options;
  const filterAt = doubtFilterOf(options);
  if ([id !== undefined, isNarrow(filterAt(Date.now())), all === true].filter(Boolean).length !== 1)
    throw usage("doubts probe: expected <id> and <effect>, a filter such as --type <type>, or --all");
  if (id !== undefined && effect === undefined) throw usage("expected <id> and <effect>, or a filter");
  if (id === undefined) requireConsent(options);
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: options.type });
    const about = { by: username(), ...(why === undefined ? {} : { reason: why }) };
    if (id !== undefined && effect !== undefined)
      return report(options, await askAll(operator, { ...about, ids: [{ jobId: id, effect }] }));
    const filter = filterAt(await operator.now());
    const wanted = { ...about, ...(all ? { all } : { filter }) };
    const { asked, skipped, before, ...found } = await operator.askProbes({ ...wanted, dryRun: true });
    const proposal = {
      lines: [[`${counted(asked, "effect")} would be asked about`], ...skippedLines(skipped)],
      value: { asked, skipped, isExact: found.isExact },
      isEmpty: asked === 0,
      question: `Let ${counted(asked, "job")} run again, so that the probes are asked? What was not done then runs.`,
    };
    if (await isWanted(options, proposal)) report(options, await askAll(operator, { ...wanted, before }));
  });
}

interface Asked {
  readonly asked: number;
  readonly skipped: Skipped;
}

async function askAll(operator: Operator, wanted: AskProbes): Promise<Asked> {
  let asked = 0;
  const skipped = new Map<string, Skipped[number]>();
  for (let { before, actId } = wanted; ; ) {
    const answer = await operator.askProbes({ ...wanted, before, actId });
    asked += answer.asked;
    // Those that stay are named by each call.
    for (const one of answer.skipped) skipped.set(`${one.jobId} ${one.effect}`, one);
    if (answer.remaining === 0 || answer.asked === 0) return { asked, skipped: [...skipped.values()] };
    ({ before, actId } = answer);
  }
}

function report({ json }: AskOptions, { asked, skipped }: Asked): void {
  if (asked === 0 && skipped.length > 0) process.exitCode = exitCode.failed;
  if (json) {
    printJson({ asked, skipped });
    return;
  }
  print([[`${counted(asked, "probe")} ${asked === 1 ? "is" : "are"} asked`], ...skippedLines(skipped)]);
  if (asked > 0) printHint("what they answer: holdfast doubts list --watch");
}

const why: Readonly<Record<string, string>> = {
  NO_PROBE: "declared without a probe",
  JOB_NOT_FOUND: "whose job is gone, or that no job ran",
  JOB_NOT_ENDED: "whose job has not ended: its next attempt asks in any case",
  CANCELLED: "whose job was cancelled",
  EFFECT_NOT_IN_DOUBT: "no longer in doubt",
};

function skippedLines(skipped: Skipped): readonly (readonly Cell[])[] {
  const counts = new Map<string, number>();
  for (const { code } of skipped) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, count]) => [`left alone: ${counted(count, "effect")} ${why[code] ?? code}`]);
}
