import type { KeptMutant } from "../lib/kept.ts";

/** By reason and file, what a change begins with or is. */
type Reasons = Readonly<Record<string, Readonly<Record<string, RegExp>>>>;

const LEDGER = "core/effect/ledger";

/** Changes that no promise depends on, and why. */
const equivalent: Reasons = {
  "without an entry the script stops with an error, and has nothing to write": {
    [`${LEDGER}/run-over.lua`]: /^not entry → false/,
    [`${LEDGER}/release.lua`]: /^not entry → false/,
    [`${LEDGER}/doubt.lua`]: /^not entry → false/,
    [`${LEDGER}/entries.lua`]: /^json → true/,
  },
  "nobody reads of a done entry what it is given then": {
    [`${LEDGER}/run-over.lua`]: /^entry\.state == "done" → false/,
  },
  "only the log depends on it": {
    "core/effect/act-once.ts": /^(begun !== undefined → false|warnOfRetries)/,
    "core/effect/report-effect.ts":
      /^(advice !== undefined|because !== undefined|\{ (advice|because) \}) → true/,
  },
  "only an event for metrics depends on it": {
    "core/effect/report-effect.ts": /^(doubt === "in-doubt"|outcome !== "refused"|outcome === "released") →/,
    "core/effect/act-once.ts": /^resolved\.kind === "resolved" →/,
    "core/submit/submitter.ts": /^on(Submitted|Refused)\(/,
  },
  "what is read again is the same": {
    "core/submit/submitter.ts": /^(known === undefined → true|queueMemory\.has\(contract\) → false)/,
  },
  "reserve.lua refuses whoever has lost the job": {
    "core/effect/act-once.ts": /^attempt\.(job\.lease\.assert|abort\.throwIfAborted)\(\) → nothing/,
  },
  "the hint with a doubt advises a declaration, and proves nothing": {
    "core/effect/report-effect.ts": /^(hint|hintText\(hint\)|isUnexplained === true) →/,
    [`${LEDGER}/doubt.lua`]: /^(call\.hint|cjson\.decode\(call\.hint\))/,
    [`${LEDGER}/ledger.ts`]: /^hint === undefined →/,
  },
  "what a run was seen to send is shown to people": {
    [`${LEDGER}/commit.lua`]: /^seen ~= ""/,
    [`${LEDGER}/ledger.ts`]: /^evidence\.length === 0 →/,
    "core/effect/report-effect.ts": /^(path === null|record === undefined) →/,
  },
  "which worker has done an effect is shown to people": { [`${LEDGER}/commit.lua`]: /^worker( and .*)? →/ },
  "only how often Redis's memory is looked at depends on it": {
    "core/bullmq/add/add-all.lua":
      /^(redis\.call\("GET", call\.sinceCheck\)|isCheckDue|isCheckDue and 0|sinceCheck) → (true|false)$/,
  },
  "only BullMQ's stream of events, and a marker that spares a waiting worker its time-out, depend on it": {
    "core/bullmq/add/place-job.lua": /^(not maxEvents|placing\.has(Ready|Delayed)|placing\.mayRun)/,
  },
  "BullMQ reads a field that is absent as zero": {
    "core/bullmq/add/place-job.lua": /^(priority|delay) > 0 → true/,
  },
  "a job's key beside its data is for lists": { "core/bullmq/add/place-job.lua": /^key ~= "" →/ },
  "a lock that is broken without need costs an attempt": {
    "core/bullmq/claim/lease.lua": /^readLease\(prefix, id, token, delivery\) → true/,
  },
  "only when the sweep looks again depends on it": {
    "core/life/ledger-sweep.lua": /^state == "(delayed|active)"/,
    "guard/sweep.lua": /^leftMs == -1/,
  },
  "a doubt without a job says itself what becomes of it": {
    [`${LEDGER}/resolve.lua`]: /^seenAt →|^clock\.nowMs\(\) - seenAt →/,
  },
};

/** What no scenario has, and what tries it. */
const elsewhere: Reasons = {
  "no type changes its queue: test/integration/effect/inherited-effects.test.ts, test/verify/submit/change-of-queue.test.ts":
    {
      [`${LEDGER}/reserve.lua`]: /elsewhere|isInherited|resultThere|"i:"|inherit\(/,
      [`${LEDGER}/ledger.ts`]:
        /former|isKnown|isNew|findFormer|ROUNDS_MAX|^await sleep|this\.release\(effect/,
      [`${LEDGER}/pending-run.lua`]: /^entry\.isElsewhere/,
      "core/submit/submitter.ts": /LayoutChanged|LAYOUTS_MAX|requireWhole/,
    },
  "no effect has an index, and nothing is encrypted: test/integration/effect/odd-index.test.ts, test/verify/store/encryption.test.ts":
    {
      [`${LEDGER}/reserve.lua`]: /slash|keyIds|keyId |ENCRYPTED_MIN|unreadable|"keys"|noted, " "|hasIndexOf/,
      [`${LEDGER}/ledger.ts`]: /effect\.includes\("\/"\)|#names\.set/,
      "core/effect/effects.ts": /index/i,
      "core/submit/submitter.ts": /codec\.keyIds|secrets\.renew/,
    },
  "Redis loses no data: test/integration/store/store-loss.test.ts, experiments 11, 17 and 47": {
    [`${LEDGER}/doubt-forgotten.lua`]: /./,
    [`${LEDGER}/reserve.lua`]: /isEpoch/,
    [`${LEDGER}/ledger.ts`]: /unreported|OTHER_EPOCH|outcome === "refused"|epoch\.check/,
    [`${LEDGER}/commit.lua`]: /^(outcome ~= "done"|not known|entry\.reservationId ~= reservationId) →/,
    "core/bullmq/claim/lease.lua": /^readLease\(prefix, id, token, delivery\) → false/,
    "platform/redis/fitness/epoch.lua": /./,
    "core/bullmq/add/add-all.lua": /^not isSeen/,
    "guard/reserve.lua": /^not isSeen/,
    "core/submit/submitter.ts": /epochs\.onLoss|queueMemory\.forget|secrets\.offerAgain/,
  },
  "no ledger is gone while its job can run: test/verify/effect/effects-forgotten.test.ts": {
    [`${LEDGER}/reserve.lua`]: /"EXISTS", ledger/,
    "desk/jobs/retry-job.lua": /EXISTS|dedupKey|^ledger/,
  },
  "Redis has room: test/integration/guard/guard-budget.test.ts, experiment 9": {
    "core/bullmq/add/add-all.lua": /^redis\.call\("GET", call\.prefix|hasRoom/,
    "guard/reserve.lua": /isFull|keepBytes/,
    "guard/sweep.lua": /call\.measures|^bytes|^count == 0|"GET", known|^sum/,
    "guard/guarded-ledger.ts": /"full"/,
  },
  "no job has a delay, a priority, or what features add: test/integration/submit/add-jobs.test.ts": {
    "core/bullmq/add/place-job.lua": /priority|delay|extras|placeExtras|isHeld|^given/i,
    "core/submit/submitter.ts": /delayMs|parts\.length|wayIn/,
    "core/bullmq/retry-failed-job.lua": /^retry\(/,
  },
  "handlers wait for their effects, and call them as they may: test/integration/effect/unawaited.test.ts, one-effect-at-a-time.test.ts":
    {
      "core/effect/effects.ts":
        /options|typeof run|isInside|first |names\.length|declaration ===|#declarations, name|#isClosed|#underWay|lease\.rejected|probe/,
      "core/bullmq/claim/lease.ts": /hasRejected|thrown|ifUnhandled|#faults/,
    },
  "no worker stops: test/verify/process/stop-at-any-moment.test.ts": {
    "core/bullmq/claim/lease.ts": /lease\.abort\(reason\)|lease\.ended|lease\?\.end|^resolve\(\)/,
    [`${LEDGER}/ledger.ts`]: /^runsLeft\./,
  },
  "nobody says what they have seen, or retries many: test/integration/operate/changed-meanwhile.test.ts, test/verify/operate/bulk-acts.test.ts":
    {
      "core/bullmq/end/cancel.lua": /isAsSeen/,
      "desk/jobs/retry-job.lua": /isAsSeen|call\.(reason|before)/,
      [`${LEDGER}/resolve.lua`]: /call\.since|isForced/,
    },
  "classifiers and the evidence of a run are the evidence's: test/integration/effect/errors-prove.test.ts, answers.test.ts":
    {
      "core/effect/report-effect.ts":
        /retryAfterMs|permanent|isAnswerCutOff|isOver|CONNECTION_OVER|until →|LOOK_EVERY/,
      "core/effect/act-once.ts": /isAnswerCutOff|watchOutgoing/,
      "core/effect/effects.ts": /leavesEffect/,
      "guard/run-call.ts": /leavesEffect|schema|issues/,
    },
  "no process sleeps between an answer and what it does next: test/integration/effect/suspended-machine.test.ts":
    {
      "core/effect/act-once.ts": /^(leftMs <= 0|job\.lease\.assert\(\)) →/,
      "core/bullmq/claim/lease.ts": /^this\.(throwIfAborted|isLocked|lost|abort)\(|renewedAt/,
    },
  "failpoints are off: the fault laboratory": { "core/effect/act-once.ts": /injected/ },
  "no effect has an assumed result: test/integration/effect/effects.test.ts": {
    "core/effect/act-once.ts": /^json !== null/,
    [`${LEDGER}/ledger.ts`]: /^detail == null/,
  },
  "no process of a guard calls twice, or waits, and nobody looks which error a call gets: test/integration/guard":
    {
      "guard/read-done.lua": /./,
      "guard/guarded-ledger.ts": /text|#foundDone/,
      "guard/run-call.ts":
        /done|leftMs|pauseMs|EffectBusyError|isUnrecorded|isUnanswered|error\.code|hasBegun|InDoubtError|HoldfastError|madeOf/,
    },
  "nobody looks at the advice of an error: test/integration/store/store-outage.test.ts": {
    "core/submit/submitter.ts": /^(fault|!\(fault)/,
  },
  "probes always know: test/integration/effect/effects.test.ts, odd probes in experiment 25": {
    "core/effect/act-once.ts": /"unknown"|SnoozeError|typeof answer|answer !== null|hasOwn|options\.probe/,
  },
  "a Redis that confirms nothing is in no scenario: test/verify/cluster/replicas.test.ts": {
    "core/effect/act-once.ts": /unconfirmed/,
    [`${LEDGER}/ledger.ts`]: /confirming/,
    "core/submit/submitter.ts": /confirming|assertFit|assertRight/,
  },
  "results fit: test/integration/run/json-results.test.ts": {
    "core/effect/report-effect.ts": /^json !== undefined/,
    [`${LEDGER}/commit.lua`]: /^result/,
  },
};

/** With what is known of those that no scenario notices. */
export function judged(row: KeptMutant): KeptMutant {
  if (row.outcome !== "survived" && row.outcome !== "unreached") return row;
  const change = row.change.slice(row.change.indexOf(" ") + 1);
  const reasonIn = (reasons: Reasons) =>
    Object.entries(reasons).find(([, files]) => files[row.file]?.test(change))?.[0];
  const [why, missing] = [reasonIn(equivalent), reasonIn(elsewhere)];
  if (row.outcome === "survived" && why !== undefined) return { ...row, outcome: "equivalent", why };
  return missing === undefined ? row : { ...row, outcome: "unreached", why: missing };
}
