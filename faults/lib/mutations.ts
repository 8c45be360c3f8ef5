import type { Mutation } from "./installation.ts";

/** The protections, each cut out of a copy of the build, for the positive controls. */

/** The ledger lets everybody in. */
export const withoutReservation: Mutation = {
  name: "reservation",
  edits: [
    {
      file: "effect/reserve.lua",
      from: "if not isHeld(",
      to: 'do return { "reserved" } end\n  if not isHeld(',
    },
  ],
};

/** An error reply to the report that an effect is done counts as taken. */
const takesErrors = {
  file: "effect/report-effect.js",
  from: "untilAnswered(() => ledger.commit(claimant(effect, owner), json), {",
  to: 'untilAnswered(() => ledger.commit(claimant(effect, owner), json).catch(() => "done"), {',
};

/** What a crash has left between two steps stays as it is. */
const sweepsNothing = {
  file: "effect/sweep.lua",
  from: 'redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, ARGV[3])',
  to: "{}",
};

const noticesNoPause = {
  file: "queue/hold.js",
  from: "if (performance.now() - this.#renewedAt > this.#lockMs)",
  to: "if (false)",
};

/** A worker no longer notices by itself that it was paused; the store's fence still stands. */
export const withoutPauseCheck: Mutation = { name: "pause check", edits: [noticesNoPause] };

const hearsOfNoLoss = {
  file: "queue/hold.js",
  from: `for (const hold of pick(holds, jobIds))
                hold.lost();`,
  to: "",
};

/** Neither the worker nor the store minds that the job is another's. */
export const withoutFence: Mutation = {
  name: "fence",
  edits: [
    noticesNoPause,
    hearsOfNoLoss,
    {
      file: "effect/reserve.lua",
      from: 'if not isHeld(job, lockToken, startNow, start) then return { "not-held" } end',
      to: "",
    },
  ],
};

/** A ledger does not mind that its job goes on: it expires the retention after its latest commit. */
export const withoutLedgerLife: Mutation = {
  name: "ledger's life",
  edits: [
    {
      file: "effect/reserve.lua",
      from: 'if not noted or not jobs or jobs == "0" then join(',
      to: "if false then join(",
    },
  ],
};

/** An error reply to the report that an effect is done counts as taken, and nobody sweeps up what it leaves. */
export const withoutRepetition: Mutation = {
  name: "repetition of reports, and the sweep",
  edits: [takesErrors, sweepsNothing],
};

/** Whoever resolves a doubt puts its job back in a step of its own, and is gone before that; nobody sweeps up. */
export const withoutGoingOn: Mutation = {
  name: "going on, and the sweep",
  edits: [{ file: "effect/resolve.lua", from: "  retryFailedJob(prefix, id)\n", to: "" }, sweepsNothing],
};

/** A second call of one effect does not join the first. */
export const withoutJoining: Mutation = {
  name: "joining of calls",
  edits: [{ file: "effect/effects.js", from: "if (first !== undefined)", to: "if (false)" }],
};

/** A key claims nothing. */
export const withoutKey: Mutation = {
  name: "key",
  edits: [
    {
      file: "queue/add-jobs.lua",
      from: 'redis.call("SET", prefix .. "de:" .. claim, id, "PX", claimMs, "NX", "GET")',
      to: "false",
    },
  ],
};

/** A key that was used in a former queue is not looked for there. */
export const withoutFormerClaim: Mutation = {
  name: "claim in the former queue",
  edits: [
    {
      file: "submit/claim-trail.js",
      from: "for (const slot of [...formerQueues, queue]) {",
      to: "for (const slot of [queue]) {",
    },
  ],
};

/** The job of a claim whose producer died before it added it stays away. */
export const withoutFinish: Mutation = {
  name: "job of an unfinished claim",
  edits: [
    {
      file: "submit/claim-trail.js",
      from: "return await adder.add({ ...job, id: candidate });",
      to: "return candidate;",
    },
  ],
};

/** Whoever waits for the store waits for as long as it takes; no connection counts as dead meanwhile. */
export const withoutDeadline: Mutation = {
  name: "deadline",
  edits: [
    { file: "store/fault.js", from: "await withDeadline(work, ms, storeUnavailable)", to: "await work" },
    { file: "store/client.js", from: "socketTimeout: 2_000,", to: "" },
  ],
};

/** A store that does not know a script is not told it. */
export const withoutScripts: Mutation = {
  name: "scripts",
  edits: [
    {
      file: "store/script.js",
      from: 'answer.message.startsWith("NOSCRIPT")',
      to: "false",
    },
  ],
};

/** New jobs are taken until the store itself refuses. */
export const withoutAdmission: Mutation = {
  name: "admission control",
  edits: [{ file: "queue/add-jobs.lua", from: "if isDue and not hasRoom() then", to: "if false then" }],
};

/** That an effect is done is refused by a store that is full, not said again, and not swept up. */
export const withoutRoomForCommits: Mutation = {
  name: "room for commits",
  edits: [
    { file: "effect/commit.lua", from: "#!lua flags=allow-oom", to: "#!lua" },
    takesErrors,
    sweepsNothing,
  ],
};

/** Nobody minds that the store is another one than it was, or has less than it had. */
export const withoutEpoch: Mutation = {
  name: "epoch",
  edits: [
    {
      file: "queue/add-jobs.lua",
      from: 'if epoch ~= ARGV[2] or tonumber(count) < tonumber(ARGV[3]) then return "other-epoch" end',
      to: "",
    },
    {
      file: "effect/reserve.lua",
      from: 'if epoch ~= ARGV[4] or tonumber(count) < tonumber(ARGV[5]) then return "other-epoch" end',
      to: "",
    },
    { file: "effect/held-effects.js", from: "[...held.values()].map", to: "[].map" },
  ],
};

/** Nothing looks whether the event loop still turns. */
export const withoutLoopWatch: Mutation = {
  name: "watch over the event loop",
  edits: [
    {
      file: "cli/commands/roles.js",
      from: "endOnBlockedLoop({ role, silentMs: HOLDFAST_LOCK_MS });",
      to: "",
    },
  ],
};

/** Each process believes its own machine's clock, and so do BullMQ's scripts. */
export const withoutClocks: Mutation = {
  name: "check of the clock, and Redis's time in BullMQ's scripts",
  edits: [
    {
      file: "store/clock.js",
      from: "const isRight = () => Math.abs(offsetMs()) - reading.uncertainMs <= CLOCK_TOLERANCE_MS;",
      to: "const isRight = () => true;",
    },
    { file: "queue/redis-time.js", from: "lua: REDIS_TIME + definition.lua", to: "lua: definition.lua" },
  ],
};

/** A message that comes before its job is known is forgotten, and nobody looks for the mark of a cancelled job. */
export const withoutKeptCancellations: Mutation = {
  name: "memory of early cancellations, and look for them when locks are renewed",
  edits: [
    { file: "queue/cancellations.js", from: "early.add(jobId);", to: "{}" },
    { file: "queue/job-consumer.js", from: "void cancellations.look(jobIds);", to: "" },
  ],
};

/** A stored value that cannot be read fails whoever reads it. */
export const withoutReadingGuard: Mutation = {
  name: "guard around stored values",
  edits: [{ file: "status/readable.js", from: "catch {", to: "catch (error) {\n            throw error;" }],
};
