import { readFileSync } from "node:fs";
import type { Change } from "./typescript.ts";

/** What once broke a promise, or what a mechanism is there for: a mend, and the code without it. */
interface Break {
  readonly title: string;
  readonly file: string;
  /** Stands once in the file. */
  readonly was: string;
  readonly becomes: string;
  /** Why no promise is broken without it. */
  readonly unless?: string;
}

const effect = "src/core/effect";

export const breaks: readonly Break[] = [
  {
    title: "Time alone takes a reservation over",
    file: `${effect}/ledger/reserve.lua`,
    was: "if entry and not mayRepeat then return doubt(",
    becomes: "if false then return doubt(",
  },
  {
    title: "A worker's lock counts for each of its attempts at a job",
    file: "src/core/bullmq/claim/lease.lua",
    was: "local isLeased = latest == delivery and redis",
    becomes: "local isLeased = redis",
    unless: "a worker of the explorer has one slot, and begins no second attempt beside the first",
  },
  {
    title: "A commit that comes too late lets its job complete",
    file: `${effect}/ledger/commit.lua`,
    was: 'if outcome ~= "done" then leases',
    becomes: "if false then leases",
    unless: "only lost data takes a reservation from a worker that still has its lock",
  },
  {
    title: "A job's end is sent again before a commit that Redis has refused",
    file: `${effect}/report-effect.ts`,
    was: "      end.waitFor(commit);\n",
    becomes: "",
    unless: "the sweep finds what the completion proves",
  },
  {
    title: "An error reply to a report counts as its answer",
    file: `${effect}/report-effect.ts`,
    was: "return await untilAnswered(send, { isLeased: () => attempt.job.lease.isLocked() });",
    becomes: "return await send();",
    unless: "it costs a needless doubt",
  },
  {
    title: "A reservation whose reply was lost is not given back",
    file: `${effect}/act-once.ts`,
    was: 'case "not-leased":\n      await giveBack(effect);\n',
    becomes: 'case "not-leased":\n',
  },
  {
    title: "That a run is over is reported once, whatever Redis answers",
    file: `${effect}/ledger/ledger.ts`,
    was: 'isLeased: () => client.status !== "end",',
    becomes: "isLeased: () => false,",
  },
  {
    title: "Nobody learns that a run is over whose doubt Redis has refused",
    file: `${effect}/report-effect.ts`,
    was: "    reportOver(effect, begun);\n    throw unreported;",
    becomes: "    throw unreported;",
  },
  {
    title: "A run that succeeds after its time says only that it is over",
    file: `${effect}/report-effect.ts`,
    was: "record.isAnswerCutOff() ? undefined : returned }",
    becomes: "undefined }",
  },
  {
    title: "Not done is believed although the run has said done",
    file: `${effect}/ledger/resolve.lua`,
    was: 'if entry.report == "done" then return { "said-done" } end',
    becomes: "",
  },
  {
    title: "Not done is believed while the run may be under way",
    file: `${effect}/ledger/resolve.lua`,
    was: "if isPending then return",
    becomes: "if false then return",
  },
  {
    title: "A completion marks the effects of earlier attempts as done",
    file: "src/core/life/ledger-sweep.lua",
    was: "if isCompleted and entry.delivery == deliveries then",
    becomes: "if isCompleted then",
    unless: "an attempt does not complete while an earlier one has left something open",
  },
  {
    title: "An attempt completes although an earlier one left an effect open",
    file: `${effect}/effects.ts`,
    was: 'if (left.kind === "in-doubt") this.#blocked = this.#leftInDoubt(left.effect, fault);',
    becomes: "",
  },
  {
    title: "A handler swallows a doubt",
    file: `${effect}/report-effect.ts`,
    was: "  effect.end.block(fault);\n  return fault;",
    becomes: "  return fault;",
    unless: "no handler of a scenario catches what its effect throws",
  },
  {
    title: "A used key is given to other content",
    file: "src/core/submit/submitter.ts",
    was: "if (!holder.submission.endsWith(fingerprint)) throw keyReused();",
    becomes: "",
  },
  {
    title: "A guard returns before its commit is answered",
    file: "src/guard/run-call.ts",
    was: "      await this.#committed;\n",
    becomes: "",
  },
];

/** @throws Error where the mend is not in the file as it is here */
export function changeOf({ file, was, becomes }: Break): Change {
  const source = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
  const from = source.indexOf(was);
  if (from < 0 || source.indexOf(was, from + 1) >= 0) throw new Error(`${file}: expected once: ${was}`);
  const line = source.slice(0, from).split("\n").length;
  return { file, line, was, becomes, from, to: from + was.length };
}
