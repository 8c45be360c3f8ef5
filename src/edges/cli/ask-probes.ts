import { counted } from "../../desk/counted.ts";
import type { AskProbes, ProbesAsked } from "../../desk/doubts/ask-probe.ts";
import { isNarrow } from "../../desk/filter.ts";
import type { Operator } from "../../desk/operator.ts";
import { username } from "../username.ts";
import { withOperator } from "./connections.ts";
import { exitCode, usage } from "./exit-code.ts";
import { doubtFilterOf, type FilterOptions } from "./filter-options.ts";
import { requireKnown } from "./known-names.ts";
import { type ConsentOptions, mayAct, requireConsent } from "./screen/confirm.ts";
import { print, printHint, printJson } from "./screen/output.ts";
import type { Cell } from "./screen/text.ts";

interface AskOptions extends FilterOptions, ConsentOptions {
  readonly why?: string;
  readonly all?: true;
}

type Skipped = ProbesAsked["skipped"];

/** Asks the probes of some jobs' doubts, or, after a question, of all that match. Only the application says which effects have one. */
export async function runAskProbes(words: readonly string[], options: AskOptions): Promise<void> {
  const { all, why } = options;
  const filterAt = doubtFilterOf(options);
  const named = namedBy(words);
  const isNamed = named.length > 0;
  if ([isNamed, isNarrow(filterAt(Date.now())), all === true].filter(Boolean).length !== 1)
    throw usage("doubts probe: expected ids of jobs, a filter such as --type <type>, or --all");
  if (!isNamed) requireConsent(options);
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: options.type });
    const about = { by: username(), ...(why === undefined ? {} : { reason: why }) };
    if (isNamed) return report(options, await askNamed(operator, named, about));
    const filter = filterAt(await operator.now());
    const wanted = { ...about, ...(all ? { all } : { filter }) };
    const { asked, skipped, before, ...found } = await operator.askProbes({ ...wanted, dryRun: true });
    const proposal = {
      lines: [[`${counted(asked, "effect")} would be asked about`], ...skippedLines(skipped)],
      value: { asked, skipped, isExact: found.isExact },
      isEmpty: asked === 0,
      question: `Let ${counted(asked, "job")} run again, so that the probes are asked? What was not done then runs.`,
    };
    if (await mayAct(options, proposal)) report(options, await askAll(operator, { ...wanted, before }));
  });
}

interface Named {
  readonly jobId: string;
  readonly effect?: string;
}

/** Ids, each perhaps with an effect after it. The name of an effect has no `_`; an id has one. */
function namedBy(words: readonly string[]): readonly Named[] {
  const named: Named[] = [];
  for (const word of words) {
    const last = named.at(-1);
    const isEffect = /^[a-z][a-z0-9-]*(\/|$)/.test(word);
    if (!isEffect || named.length === 0) named.push({ jobId: word });
    else if (last !== undefined && last.effect === undefined) named.splice(-1, 1, { ...last, effect: word });
    else throw usage(`expected an id, got "${word}"`);
  }
  return named;
}

/** Of a job without a named effect, all that is in doubt. */
async function askNamed(operator: Operator, named: readonly Named[], about: AskProbes): Promise<Asked> {
  const ids: { readonly jobId: string; readonly effect: string }[] = [];
  const leftAlone: Skipped[number][] = [];
  for (const { jobId, effect } of named) {
    const status = effect === undefined ? await operator.status(jobId) : undefined;
    const open = status?.effects.filter(({ state }) => state === "in-doubt").map(({ name }) => name);
    const effects = effect === undefined ? (open ?? []) : [effect];
    ids.push(...effects.map((name) => ({ jobId, effect: name })));
    const code = open === undefined ? "JOB_NOT_FOUND" : "EFFECT_NOT_IN_DOUBT";
    if (effects.length === 0) leftAlone.push({ jobId, effect: "", code });
  }
  const { asked, skipped } = ids.length === 0 ? noneAsked : await askAll(operator, { ...about, ids });
  return { asked, skipped: [...leftAlone, ...skipped] };
}

const noneAsked: Asked = { asked: 0, skipped: [] };

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
