import type { Edit, Mutation } from "./installation.ts";

/** Removes one protection from a copy of the build, for a positive control. */
function mutation(name: string, ...edits: readonly Edit[]): Mutation {
  return { name, edits };
}

/** Treats an error reply to a commit as success. */
const acceptsErrors: Edit = [
  "core/effect/report-effect.js",
  "untilAnswered(() => ledger.commit(reservedEffect(effect), json, seen), {",
  'untilAnswered(() => ledger.commit(reservedEffect(effect), json, seen).catch(() => "done"), {',
];

/** Leaves what a crash left behind. */
const sweepsNothing: Edit = ["core/life/ledger-sweep.lua", "math.max(visitJoined(), visitNew())", "0"];

const ignoresPauses: Edit = [
  "core/bullmq/claim/lease.js",
  "if (performance.now() - this.#renewedAt > this.#lockMs)",
  "if (false)",
];

/** A worker does not notice that it was paused; Redis still refuses it. */
export const withoutPauseCheck = mutation("pause check", ignoresPauses);

/** Neither the worker nor Redis checks who has the job. */
export const withoutFence = mutation(
  "fence",
  ignoresPauses,
  ["core/bullmq/claim/lease.js", "this.get(id)?.lost();", "void id;"],
  ["core/effect/ledger/reserve.lua", 'if not isLeased then return { "not-leased" } end', ""],
);

/** A key claims nothing. */
export const withoutKey = mutation("key", [
  "core/bullmq/add/place-job.lua",
  'redis.call("SET", placing.prefix .. "de:" .. dedupKey, holder, "PX", dedupKeyMs, "NX", "GET")',
  "false",
]);

/** Reads which job waits, and replaces it in a second call, whatever has become of it. */
export const withoutAtomicReplacement = mutation(
  "replacement in one step",
  [
    "features/debounce/add-debounced.lua",
    "if target ~= id and isEncrypted(data) then",
    "if target ~= id then",
  ],
  [
    "features/debounce/add-debounced.lua",
    "replacement.readWindow(placing, hash)",
    "replacement.readWindow(placing, hash, seen)",
  ],
  [
    "features/debounce/replace.lua",
    "local function readWindow(placing, hash)",
    "local function readWindow(placing, hash, readBefore)",
  ],
  [
    "features/debounce/replace.lua",
    "if found[1] or found[2] or not found[4] then",
    "if id ~= readBefore and (found[1] or found[2] or not found[4]) then",
  ],
);

/** A key is not looked up in the former queue. */
export const withoutFormerClaim = mutation("claim in the former queue", [
  "core/bullmq/add/dedup-trail.js",
  "for (const slot of homes) {",
  "for (const slot of homes.slice(-1)) {",
]);

/** A claimed key whose producer died before adding the job stays without one. */
export const withoutFinish = mutation("job of an unfinished claim", [
  "core/bullmq/add/dedup-trail.js",
  "return await adder.add({ ...job, id: candidate });",
  "return candidate;",
]);

/** Calls to Redis have no deadline, and connections no time-out. */
export const withoutDeadline = mutation(
  "deadline",
  [
    "platform/redis/redis-errors.js",
    "await withDeadline(work, ms, () => redisUnavailable(undefined, TOO_SLOW))",
    "await work",
  ],
  ["platform/redis/connection.js", "socketTimeout: 2_000,", ""],
);

/** A script that Redis does not know is not loaded again. */
export const withoutScripts = mutation("scripts", [
  "platform/redis/script.js",
  'answer.message.startsWith("NOSCRIPT")',
  "false",
]);

/** Jobs are accepted until Redis itself refuses. */
export const withoutAdmission = mutation("admission control", [
  "core/bullmq/add/add-all.lua",
  "if isCheckDue and not memory.hasRoom() then",
  "if false then",
]);

/** A full Redis refuses commits, nothing repeats them, and nothing is swept. */
export const withoutRoomForCommits = mutation(
  "room for commits",
  ["core/effect/ledger/commit.lua", 'whenFull = "runs"', 'whenFull = "is refused"'],
  acceptsErrors,
  sweepsNothing,
);

/** Nothing notices that Redis was replaced or has lost data. */
export const withoutEpoch = mutation(
  "epoch",
  ["core/bullmq/add/add-all.lua", 'if not isSeen then return "other-epoch" end', ""],
  [
    "core/effect/ledger/reserve.lua",
    'if not epochs.isEpoch(call.epoch, call.epochId, call.epochCount) then return "other-epoch" end',
    "",
  ],
  ["core/effect/ledger/ledger.js", "effects.map(", "[].map("],
);

/** Nothing watches the event loop. */
export const withoutLoopWatch = mutation("watch over the event loop", [
  "edges/cli/commands/roles.js",
  "endOnBlockedLoop({ role, silentMs: HOLDFAST_LOCK_MS });",
  "",
]);

/** Each process trusts its own clock, and so do BullMQ's scripts. */
export const withoutClocks = mutation(
  "check of the clock, and Redis's time in BullMQ's scripts",
  [
    "platform/redis/fitness/clock.js",
    "const isRight = () => Math.abs(offsetMs()) - reading.uncertainMs <= CLOCK_TOLERANCE_MS;",
    "const isRight = () => true;",
  ],
  [
    "core/bullmq/claim/claim-scripts.js",
    "placeFunctions(REDIS_TIME + withClaimPoint(",
    "placeFunctions(withClaimPoint(",
  ],
);

/** Schedulers read their own clock instead of Redis's. */
export const withoutRedisClock = mutation("Redis's clock", [
  "platform/redis/fitness/clock.js",
  "const now = () => performance.now() + reading.aheadMs;",
  "const now = () => Date.now();",
]);

/** One unreadable stored value fails the whole read. */
export const withoutReadingGuard = mutation("guard around stored values", [
  "core/status/readable.js",
  "catch {",
  "catch (error) {\n            throw error;",
]);

/** A cluster runs scripts although it moves their slot. The first key, given twice, stands for the one that is absent. */
export const withoutSlotGuard = mutation("guard while a slot moves", [
  "platform/redis/cluster/open-slot.js",
  "guard === undefined ? keys : [...keys, guard]",
  "guard === undefined ? keys : [...keys, keys[0]]",
]);

/** A slot is used on whichever master serves it, without a question to the others. */
export const withoutSlotWatch = mutation("question to all masters", [
  "platform/redis/cluster/slot-guard.js",
  "watch.mayUse(slot, address)",
  "true",
]);

const CONFIRMATION = "platform/redis/replicas/confirmation.js";
/** What masters said about slots is believed for ever. */
export const withoutViewLease = mutation(
  "age of what masters said",
  ["platform/redis/cluster/slot-watch.js", "=== address && ageOf(this.#viewedAt) <= VIEW_MS", "=== address"],
  // While it looks at the settings anew, a process that wakes learns of the slots, too.
  ["platform/redis/fitness/fitness.js", "if (ageOf(checkedAt) > BELIEVED_MS)", "if (false)"],
);

/** A write counts although no replica has confirmed it. */
export const withoutWait = mutation(
  "WAIT",
  [CONFIRMATION, '"wait", wanted, waitMs', '"wait", 0, 1'],
  [CONFIRMATION, "reached >= wanted ?", "true ?"],
  [CONFIRMATION, '"wait", watch.wantedAt(master), waitMs', '"wait", 0, 1'],
  [CONFIRMATION, "return found && replicasMissing(found);", "return undefined;"],
);

/** A client stays with its master until that one says that it is none. */
export const withoutMasterWatch = mutation("watch for a new master", [
  "platform/redis/cluster/sentinels.js",
  "this.stream.destroy();",
  "",
]);

/** Every job of a key is let in at once. */
export const withoutHoldingBack = mutation("holding back", [
  "features/lanes/lanes.lua",
  "local isHeld = last and (last > 0 or",
  "local isHeld = false and (last > 0 or",
]);

/** Of the jobs that are held, the last one is let in. */
export const withoutLaneOrder = mutation("order of a lane", [
  "features/lanes/let-in.lua",
  'redis.call("ZRANGE", key, underWay, underWay)[1]',
  'redis.call("ZREVRANGEBYSCORE", key, "+inf", "(0", "LIMIT", 0, 1)[1]',
]);

/** Nobody lets in what a killed worker has not let in. */
export const withoutLaneSweep = mutation("sweep of lanes", [
  "features/lanes/sweep-lanes.lua",
  'redis.call("ZRANGEBYSCORE", call.lanes, "-inf", now, "LIMIT", 0, call.most)',
  "{}",
]);

/** A token is free again at once, and not after the window. */
export const withoutWindow = mutation("window of a token", [
  "features/rate/claim.lua",
  "now + rate.windowMs, id)",
  "now, id)",
]);

/** A job starts although it has no token: a retry, or a job whose worker died. */
export const withoutTokensOfRetries = mutation("token of each start", [
  "features/rate/claim.lua",
  "elseif deliveries.isToFail(prefix, id) then",
  "elseif true then",
]);

/** An error that nothing explains means that the effect did not happen. */
export const withoutDoubt = mutation("doubt of what nothing explains", [
  "evidence/outgoing/verdict.js",
  'declared.onError === "not-done" &&',
  "true &&",
]);

/** A classifier believes a connection that was refused, whatever else was sent, and nobody asks the record. */
export const withoutOutgoing = mutation(
  "view of what else was sent",
  ["evidence/classifier.js", 'return isNothingSent(seen) ? "not-done" : "unknown";', 'return "not-done";'],
  ["evidence/outgoing/verdict.js", "return because === undefined ?", "return true ?"],
);

/** The record speaks against nothing. */
const alwaysAgrees: Edit = [
  "evidence/outgoing/agreement.js",
  "if (record.unfollowed !== undefined)",
  "return undefined;\n    if (record.unfollowed !== undefined)",
];

/** A classifier is believed whatever else was sent, or not seen, and so is the word of another effect. */
export const withoutAgreement = mutation(
  "agreement of the whole record",
  alwaysAgrees,
  [
    "evidence/seen.js",
    "export function provesRefusal(status, { outgoing, isComplete }) {",
    "export function provesRefusal(status, { outgoing, isComplete }) {\n    return true;",
  ],
  [
    "evidence/seen.js",
    "return isComplete && outgoing.length > 0 && outgoing.every(isNeverSent);",
    "return true;",
  ],
  [
    "evidence/outgoing/own-word.js",
    "return errorTree(error).some((node) => (left.get(node) ?? key) !== key);",
    "return false;",
  ],
  ["evidence/outgoing/own-word.js", "(left.get(error) ?? key) === key", "true"],
);

/** Requirements are checked at the start alone. */
export const withoutFitnessWatch = mutation("watch over the requirements", [
  "platform/redis/fitness/fitness.js",
  "if (flaws.length > 0)",
  "if (false)",
]);

/** An act passes over the lists once, and follows no job that moves. */
export const withoutFollowing = mutation(
  "following of jobs that move",
  ["desk/acts/run-act.js", 'act === "cancel" ? await followMoved(', 'act === "none" ? await followMoved('],
  ["desk/acts/run-act.js", "if (isProof)", "if (true)"],
);

/** Only a child's latest parent hears of its retry and of its end, and nothing is swept. */
export const withoutOtherParents = mutation(
  "links to all parents, and the sweep",
  ["features/flows/flow.lua", 'string.gmatch(others or "", "%S+")', 'string.gmatch("", "%S+")'],
  ["features/flows/sweep-parents.lua", "for _, id in ipairs(parents) do look(id) end", ""],
);

/** Processes whose encryption keys differ run beside each other. */
export const withoutKeysInUse = mutation(
  "check of the keys in use",
  [
    "platform/redis/encryption/keys-in-use.js",
    "if (secretId !== undefined && !ids.has(secretId))",
    "if (false)",
  ],
  ["platform/redis/encryption/keys-in-use.js", 'if (verdict === "lacks")', "if (false)"],
  ["platform/redis/encryption/keys-in-use.js", 'if (verdict === "ahead")', "if (false)"],
);

/** What is removed stays in the estimate of what ended jobs take. */
export const withoutReduction = mutation("reduction of the estimate", [
  "features/budget/budget.lua",
  'redis.call("HINCRBY", sumsOf(prefix), name, -bytesIn(score))',
  "",
]);

/** A worker counts only what ends while it looks. */
export const withoutCatchUp = mutation("count of what ended after a crash", [
  "features/budget/count-ended.lua",
  "if isMine then bringUpToDate() end",
  'if by ~= call.worker then redis.call("HSET", sums, "completed", now, "failed", now) end\nif isMine then bringUpToDate() end',
]);

/** A version of a schedule does not end when the next one begins. */
export const withoutVersions = mutation("end of a schedule's version", [
  "roles/schedules/versions.js",
  " && at <= until",
  "",
]);

/** A connection to a cluster begins with the nodes of the process's start. */
export const withoutNodeRenewal = mutation("renewal of known nodes", [
  "platform/redis/cluster/known-nodes.js",
  'Object.defineProperty(cluster, "startupNodes", { get: () => nodes.all });',
  "",
]);

/** A database effect's row is committed after its work, not with it. */
export const withoutOneTransaction = mutation("one transaction for key and work", [
  "postgres/database-effect.js",
  "return await this.#database.transaction((tx) => this.#inTransaction(tx, call));",
  `const result = await this.#database.transaction((tx) => this.#work(tx, call));
            await this.#database.transaction(async (tx) => {
                await claim(this.#database, tx, call, "begun");
                await finish(this.#database, tx, call.key, "null");
            });
            return result;`,
]);

/** A relay deletes rows before it submits them. */
export const withoutDeletionLast = mutation("deletion after acceptance", [
  "roles/outbox/relay.js",
  "const ends = (await mapInFlight(",
  `await database.query("DELETE FROM holdfast_outbox WHERE id = ANY ($1::bigint[])", [chains.flat().map((row) => row.id)]);
        await database.query("COMMIT");
        await database.query("BEGIN");
        const ends = (await mapInFlight(`,
]);

/** A guarded effect whose process has not reported in time is run again. */
export const withoutGuardedDoubt = mutation("doubt in place of a takeover by time", [
  "guard/reserve.lua",
  "local mayRepeat = repeatMs > 0 and entry.firstAt and now - entry.firstAt <= repeatMs",
  "local mayRepeat = true",
]);

/** A guarded effect that was reserved stays so. */
export const withoutGuardedDeadline = mutation(
  "deadline of a reservation",
  ["guard/reserve.lua", "if now < entry.deadline then", "if true then"],
  [
    "guard/sweep.lua",
    'if entry and entry.state == "reserved" then',
    'if entry and entry.state == "reserved" then return now + 60000 end if false then',
  ],
);

/** Nobody asks whose reservation a report is about. */
export const withoutReservationId = mutation("fence of a reservation", [
  "core/effect/ledger/release.lua",
  "entry.reservationId ~= call.reservationId or ",
  "",
]);

/** A notice has another key each time, and no API writes down that it has told it, as one that dies then. */
export const withoutNoticeKey = mutation(
  "key of kind, subject, stage and bucket, where APIs die before they write down what they told",
  ["desk/notices/notice-job.js", "JSON.stringify(parts)", "JSON.stringify([...parts, Math.random()])"],
  [
    "desk/notices/watch-notices.js",
    "await inTime(change(store, (episodes) => afterTelling(episodes, episode)));",
    "void change;",
  ],
);
