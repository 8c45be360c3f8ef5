import type { Cut } from "./installation.ts";

/** The protections, each cut out of a copy of the build, for the positive controls. */

/** The ledger lets everybody in. */
export const withoutReservation: Cut = {
  name: "reservation",
  edits: [
    {
      file: "effect/reserve.lua",
      from: 'local field = "e:" .. ARGV[1]',
      to: 'do return { "reserved" } end\nlocal field = "e:" .. ARGV[1]',
    },
  ],
};

const noticesNoPause = {
  file: "queue/hold.js",
  from: "if (performance.now() - hold.renewedAt > lockMs)",
  to: "if (false)",
};

/** A worker no longer notices by itself that it was paused; the store's fence still stands. */
export const withoutPauseCheck: Cut = { name: "pause check", edits: [noticesNoPause] };

const hearsOfNoLoss = {
  file: "queue/hold.js",
  from: `for (const hold of pick(holds, jobIds))
                hold.controller.abort(lockLost());`,
  to: "",
};

/** Neither the worker nor the store minds that the job is another's. */
export const withoutFence: Cut = {
  name: "fence",
  edits: [
    noticesNoPause,
    hearsOfNoLoss,
    {
      file: "effect/reserve.lua",
      from: 'if redis.call("GET", KEYS[2]) ~= ARGV[3] then return { "not-held" } end',
      to: "",
    },
    {
      file: "effect/reserve.lua",
      from: 'if redis.call("HGET", KEYS[3], "ats") ~= ARGV[4] then return { "not-held" } end',
      to: "",
    },
  ],
};

/** A key claims nothing. */
export const withoutKey: Cut = {
  name: "key",
  edits: [{ file: "queue/job-queue.js", from: "deduplication: { id: claim, ttl: claimMs },", to: "" }],
};
