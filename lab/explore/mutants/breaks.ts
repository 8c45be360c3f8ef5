const effect = "core/effect";

/** What once broke a promise, or what a mechanism is there for; each is a mutant of the mended code. */
export const breaks: Readonly<Record<string, readonly [file: string, was: string, becomes: string]>> = {
  "Time alone takes a reservation over": [`${effect}/ledger/reserve.lua`, "entry and not mayRepeat", "false"],
  "A worker's lock counts for each of its attempts at a job": [
    "core/bullmq/claim/lease.lua",
    "latest == delivery",
    "true",
  ],
  "A commit that comes too late lets its job complete": [
    `${effect}/ledger/commit.lua`,
    'outcome ~= "done"',
    "false",
  ],
  "A job's end is sent again before a commit that Redis has refused": [
    `${effect}/report-effect.ts`,
    "end.waitFor(commit)",
    "nothing",
  ],
  "An error reply to a report counts as its answer": [
    `${effect}/report-effect.ts`,
    "attempt.job.lease.isLocked()",
    "false",
  ],
  "A reservation whose reply was lost is not given back": [
    `${effect}/act-once.ts`,
    "await giveBack(effect)",
    "nothing",
  ],
  "That a run is over is reported once, whatever Redis answers": [
    `${effect}/ledger/ledger.ts`,
    'client.status !== "end"',
    "false",
  ],
  "Nobody learns that a run is over whose doubt Redis has refused": [
    `${effect}/report-effect.ts`,
    "reportOver(effect, begun)",
    "nothing",
  ],
  "A run that succeeds after its time says only that it is over": [
    `${effect}/report-effect.ts`,
    "record.isAnswerCutOff()",
    "true",
  ],
  "Not done is believed although the run has said done": [
    `${effect}/ledger/resolve.lua`,
    'entry.report == "done"',
    "false",
  ],
  "Not done is believed while the run may be under way": [
    `${effect}/ledger/resolve.lua`,
    "isPending",
    "false",
  ],
  "A completion marks the effects of earlier attempts as done": [
    "core/life/ledger-sweep.lua",
    "entry.delivery == deliveries",
    "true",
  ],
  "An attempt completes although an earlier one left an effect open": [
    `${effect}/effects.ts`,
    'left.kind === "in-doubt"',
    "false",
  ],
  "A handler swallows a doubt": [`${effect}/report-effect.ts`, "effect.end.block(fault)", "nothing"],
  "A used key is given to other content": [
    "core/submit/submitter.ts",
    "!holder.submission.endsWith(fingerprint)",
    "false",
  ],
  "A guard returns before its commit is answered": [
    "guard/run-call.ts",
    "await outcome.committed",
    "nothing",
  ],
};
