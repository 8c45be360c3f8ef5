import { send } from "../service/call.ts";
import type { DoubtRow } from "./queries.ts";
import type { As } from "./resolve-form.tsx";

export interface Resolution {
  readonly as: As;
  readonly evidence: string;
}

/** As many as one call resolves. */
const AT_ONCE = 1_000;

/** Resolves many in the same way. @returns how many were still in doubt */
export async function resolveEach(doubts: readonly DoubtRow[], resolution: Resolution): Promise<number> {
  let resolved = 0;
  for (let at = 0; at < doubts.length; at += AT_ONCE) {
    const ids = doubts.slice(at, at + AT_ONCE).map(({ jobId, effect }) => ({ jobId, effect }));
    const answer = await send<{ readonly resolved: number }>("doubts/resolve", { ids, ...resolution });
    resolved += answer.resolved;
  }
  return resolved;
}
