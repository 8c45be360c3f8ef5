import { useQueryClient } from "@tanstack/react-query";
import { count, counted } from "../parts/format.ts";
import type { Doubt } from "../service/answers.ts";
import { send } from "../service/call.ts";

export type As = "done" | "not-done";

export interface Resolution {
  readonly as: As;
  readonly evidence: string;
  /** Also where the first run may still be under way. */
  readonly confirm?: boolean;
  /** Until when the export is complete that does not name them, ISO 8601. */
  readonly completeUntil?: string;
}

export interface Resolved {
  readonly resolved: number;
  /** How many stay in doubt: their run may be under way, or they began too late for the export. */
  readonly left: number;
}

interface Answer {
  readonly resolved: number;
  readonly skipped: readonly { readonly code: string }[];
}

const STAYS = ["RUN_MAY_BE_PENDING", "BEGAN_TOO_LATE"];

export function textOf(as: As): string {
  return as === "done" ? "done" : "not done";
}

/** As many as one call resolves. */
const AT_ONCE = 1_000;

/**
 * Resolves these with one piece of evidence.
 *
 * @returns how many; others had been resolved already
 */
export async function resolveAll(doubts: readonly Doubt[], resolution: Resolution): Promise<Resolved> {
  let resolved = 0;
  let left = 0;
  for (let at = 0; at < doubts.length; at += AT_ONCE) {
    const ids = doubts.slice(at, at + AT_ONCE).map(({ jobId, effect }) => ({ jobId, effect }));
    const answer = await send<Answer>("doubts/resolve", { ids, ...resolution });
    resolved += answer.resolved;
    left += answer.skipped.filter(({ code }) => STAYS.includes(code)).length;
  }
  return { resolved, left };
}

/** What became of many, as a notice. */
export function resolvedText({ resolved, left }: Resolved, as = ""): string {
  const rest =
    left === 0
      ? ""
      : ` ${count(left)} ${left === 1 ? "stays" : "stay"} in doubt: the first run may be under way, or the export too old.`;
  return `${counted(resolved, "effect")} resolved${as}. The jobs continue.${rest}`;
}

const touched = ["doubts", "audit", "job", "jobs", "failures"];

/** Reads again what a resolved doubt changes. */
export function useRefreshDoubts(): () => Promise<unknown> {
  const client = useQueryClient();
  return () => Promise.all(touched.map((name) => client.invalidateQueries({ queryKey: [name] })));
}
