/** What once broke a promise, or what a mechanism is there for: by file, what the mended code became, and what was broken. */
export const breaks: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "core/effect/ledger/reserve.lua": {
    "entry and not mayRepeat → false": "Time alone takes a reservation over",
  },
  "core/bullmq/claim/lease.lua": {
    "latest == delivery → true": "A worker's lock counts for each of its attempts at a job",
  },
  "core/effect/ledger/commit.lua": {
    'outcome ~= "done" → false': "A commit that comes too late lets its job complete",
  },
  "core/effect/report-effect.ts": {
    "end.waitFor(commit) → nothing": "A job's end is sent again before a commit that Redis has refused",
    "attempt.job.lease.isLocked() → false": "An error reply to a report counts as its answer",
    "reportOver(effect, begun) → nothing": "Nobody learns that a run is over whose doubt Redis has refused",
    "record.isAnswerCutOff() → true": "A run that succeeds after its time says only that it is over",
    "effect.end.block(fault) → nothing": "A handler swallows a doubt",
  },
  "core/effect/act-once.ts": {
    "await giveBack(effect) → nothing": "A reservation whose reply was lost is not given back",
  },
  "core/effect/ledger/ledger.ts": {
    'client.status !== "end" → false': "That a run is over is reported once, whatever Redis answers",
  },
  "core/effect/ledger/resolve.lua": {
    'entry.report == "done" → false': "Not done is believed although the run has said done",
    "isPending → false": "Not done is believed while the run may be under way",
  },
  "core/effect/ledger/run-over.lua": {
    "entry.reservationId ~= call.reservationId → false":
      "That an earlier run is over counts as that of a later one",
  },
  "core/life/ledger-sweep.lua": {
    "entry.delivery == deliveries → true": "A completion marks the effects of earlier attempts as done",
  },
  "core/effect/effects.ts": {
    'left.kind === "in-doubt" → false': "An attempt completes although an earlier one left an effect open",
  },
  "core/submit/submitter.ts": {
    "!holder.submission.endsWith(fingerprint) → false": "A used key is given to other content",
  },
  "guard/run-call.ts": {
    "await outcome.committed → nothing": "A guard returns before its commit is answered",
  },
};
