/** Changes of conditions that no promise depends on, and why. */
const reasons: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "core/effect/ledger/run-over.lua": {
    "json → true": "without an entry the script stops, and has nothing to write",
    "not entry → false": "without an entry the script stops, and has nothing to write",
    'entry.state == "done" → false': "nobody reads of a done entry what it is given then",
  },
};

export function reasonFor(file: string, change: string): string | undefined {
  return reasons[file]?.[change];
}
