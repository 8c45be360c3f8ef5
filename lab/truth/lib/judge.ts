import type { Acts } from "../servers/acts.ts";
import type { Mode } from "./effect-names.ts";

/** What Holdfast said of the effect at the job's end. */
export type Verdict = "done" | "done, result lost" | "in doubt" | "not done";

/** What is wrong with a row. */
export type Wrong =
  /** An attempt acted after another had. */
  | "acted again"
  /** The library sent it again by itself, although it was asked not to. */
  | "library acted again"
  | "falsely not done"
  | "falsely done"
  /** Nothing proves that it was not done; it merely was not. */
  | "not done without proof"
  | "needlessly in doubt"
  | "result lost"
  /** Neighbours that are answered do no harm. */
  | "in doubt beside neighbours"
  /** The job ended in no way that the table knows. */
  | "no verdict";

/** Those that break a promise. */
export const broken: ReadonlySet<Wrong> = new Set<Wrong>([
  "acted again",
  "library acted again",
  "falsely not done",
  "falsely done",
  "not done without proof",
  "no verdict",
  "in doubt beside neighbours",
]);

export interface Judged {
  readonly verdict: Verdict | undefined;
  readonly acted: number;
  readonly attempts: number;
  /** In how many attempts it acted. */
  readonly attemptsThatActed: number;
  readonly right: string;
  readonly wrong: Wrong | undefined;
  /** The job's error. */
  readonly error: string;
  /** What was seen to be sent, of a doubt; `undefined` of others. */
  readonly evidence: readonly string[] | undefined;
}

export interface Judging extends Pick<Judged, "verdict" | "error" | "evidence"> {
  readonly mode: Mode;
  /** What the row's misbehaviour proves by itself. */
  readonly proof: string | undefined;
  readonly acts: Pick<Acts, "count" | "attempts" | "attemptsThatActed" | "isNeverReached">;
}

/** Compares the verdict with what downstream did. */
export function judge(judging: Judging): Judged {
  const { verdict, acts, error, evidence } = judging;
  // A client that gives up before it has sent anything has not met the misbehaviour: on a busy machine, before a slow server's greeting.
  const proof = judging.proof ?? (acts.isNeverReached === true ? "never reached" : undefined);
  return {
    verdict,
    acted: acts.count,
    attempts: acts.attempts,
    attemptsThatActed: acts.attemptsThatActed,
    right: acts.count > 0 ? "done or in doubt" : proof === undefined ? "in doubt" : "not done",
    wrong: wrongOf({ ...judging, proof }),
    error,
    evidence,
  };
}

/** Of jobs that did the same side by side, what holds for all of them. @param verdicts one for each job */
export function judgeNeighbours(
  verdicts: readonly (Verdict | undefined)[],
  { count, attempts, attemptsThatActed }: Judging["acts"],
): Judged {
  const done = verdicts.filter((verdict) => verdict?.startsWith("done")).length;
  const doubts = verdicts.filter((verdict) => verdict === "in doubt").length;
  const wrong = (): Wrong | undefined => {
    if (count > done + doubts) return "acted again";
    if (verdicts.includes(undefined)) return "no verdict";
    return doubts > 0 ? "in doubt beside neighbours" : undefined;
  };
  return {
    verdict: doubts > 0 ? "in doubt" : "done",
    acted: count,
    attempts,
    attemptsThatActed,
    right: "done",
    wrong: wrong(),
    error: doubts > 0 ? `${doubts} of ${verdicts.length} in doubt` : "",
    evidence: undefined,
  };
}

function wrongOf({ mode, proof, verdict, acts }: Judging): Wrong | undefined {
  if (acts.attemptsThatActed > 1) return "acted again";
  if (acts.count > 1 && mode === "as documented") return "library acted again";
  if (verdict === undefined) return "no verdict";
  if (acts.count > 0) return wrongAfterActing(verdict);
  if (verdict === "done" || verdict === "done, result lost") return "falsely done";
  if (verdict === "in doubt") return proof === undefined ? undefined : "needlessly in doubt";
  return proof === undefined ? "not done without proof" : undefined;
}

function wrongAfterActing(verdict: Verdict): Wrong | undefined {
  if (verdict === "not done") return "falsely not done";
  return verdict === "done, result lost" ? "result lost" : undefined;
}
