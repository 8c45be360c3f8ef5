import type { KeptMutant } from "../lib/kept.ts";

/** Changes that no promise depends on, and why. */
const reasons: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "without an entry the script stops with an error, and has nothing to write": {
    "core/effect/ledger/run-over.lua": ["not entry → false"],
    "core/effect/ledger/entries.lua": ["json → true"],
  },
  "nobody reads of a done entry what it is given then": {
    "core/effect/ledger/run-over.lua": ['entry.state == "done" → false'],
  },
  "only a warning in the log depends on it": {
    "core/effect/act-once.ts": [
      "begun !== undefined → false",
      "warnOfRetries(job.type, name, begun.record, attempt.log) → nothing",
    ],
    "core/effect/report-effect.ts": ["advice !== undefined → true", "because !== undefined → true"],
  },
  "only an event for metrics depends on it": {
    "core/effect/report-effect.ts": [
      'doubt === "in-doubt" → false',
      'doubt === "in-doubt" → true',
      'outcome !== "refused" → false',
      'outcome !== "refused" → true',
      'outcome === "released" → false',
      'outcome === "released" → true',
    ],
    "core/effect/act-once.ts": [
      'resolved.kind === "resolved" → false',
      'resolved.kind === "resolved" → true',
    ],
  },
  "reserve.lua refuses whoever has lost the job": {
    "core/effect/act-once.ts": [
      "attempt.job.lease.assert() → nothing",
      "attempt.abort.throwIfAborted() → nothing",
    ],
  },
  "the hint with a doubt advises a declaration, and proves nothing": {
    "core/effect/report-effect.ts": [
      "hint → true",
      "isUnexplained === true → true",
      "isUnexplained === true → false",
    ],
  },
};

/** With what is known of those that no scenario notices. */
export function judged(row: KeptMutant): KeptMutant {
  const change = row.change.slice(row.change.indexOf(" ") + 1);
  const why = Object.entries(reasons).find(([, changes]) => changes[row.file]?.includes(change))?.[0];
  return row.outcome === "survived" && why !== undefined ? { ...row, outcome: "equivalent", why } : row;
}
