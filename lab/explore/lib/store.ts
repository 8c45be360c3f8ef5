import { createHash } from "node:crypto";
import { Command, Redis } from "ioredis";
import { mutation } from "../mutants/mutation.ts";
import type { Answer } from "./world.ts";

/** Redis's clock, for the scripts; the mutant in which they run, and what their conditions were. Nothing of it is Redis's in what is seen. */
const [CLOCK, MUTANT, NOTED] = ["own:now", "own:mutant", "own:noted"];

/** Stands before each script: its TIME is the world's. The rest of the script is as it ships, but for its conditions where those are noted. */
const PRELUDE = `local redis = (function(real)
  local function timed(name, ...)
    if name ~= "TIME" then return real.call(name, ...) end
    local now = real.call("GET", "${CLOCK}")
    return { string.sub(now, 1, -4), string.sub(now, -3) .. "000" }
  end
  local mutant
  local function noted(given)
    local id, value = given[1], given[2]
    mutant = mutant or real.call("GET", "${MUTANT}") or ""
    if mutant == id .. " true" then return true end
    if mutant == id .. " false" then return false end
    if mutant == "" then real.call("SADD", "${NOTED}", id .. (value and " true" or " false")) end
    return value
  end
  return setmetatable({ call = timed, noted = noted }, { __index = real })
end)(redis) `;

/** What the invariants ask of Redis. */
export interface Seen {
  /** Of all that Redis has. By it Redis is brought back to this moment. */
  readonly digest: string;
  /** By field. */
  readonly ledger: ReadonlyMap<string, string>;
  readonly doubts: readonly string[];
  /** Ids of all jobs. */
  readonly jobs: readonly string[];
  /** Of the job. */
  readonly state: string;
  readonly failure: string;
  readonly result: string;
  readonly isLocked: boolean;
  /** How often it was delivered to a worker. */
  readonly deliveries: number;
  /** Whether it says that it has asked for effects. */
  readonly hasNotedEffects: boolean;
  /** Whether the ledger has a time to live. */
  readonly expires: boolean;
  /** How often the sweeps have its job, or its effect without a job, among those at which they look. */
  readonly looks: number;
  readonly isCancelled: boolean;
}

/** The database that keeps what Redis had at a moment. */
const MOMENTS = 1;

/** In whole seconds: real time passes, too. BullMQ's stream of events has Redis's real time, and nothing reads it. */
const SEE = `
local start, ledger, id, own = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local noted = redis.call("SMEMBERS", "${NOTED}")
redis.call("DEL", "${NOTED}")
local keys, all, jobs = redis.call("KEYS", "*"), {}, {}
table.sort(keys)
for _, key in ipairs(keys) do
  if string.sub(key, -7) ~= ":events" and string.sub(key, 1, 4) ~= "own:" then
    local ttl = redis.call("PTTL", key)
    all[#all + 1] = ttl > 0 and math.floor((ttl + 500) / 1000) * 1000 or 0
    all[#all + 1] = key
    all[#all + 1] = redis.call("DUMP", key)
  end
  local rest = string.sub(key, #start + 1)
  if string.sub(key, 1, #start) == start and string.find(rest, "^%a+_[%x-]+$") then jobs[#jobs + 1] = rest end
end
local digest = redis.sha1hex(table.concat(all))
redis.call("SELECT", own)
if redis.call("EXISTS", digest) == 0 then redis.call("RPUSH", digest, unpack(all)) end
redis.call("SELECT", 0)
if id == "" then id = jobs[1] or "none" end
local state = "gone"
if redis.call("ZSCORE", start .. "completed", id) then state = "completed"
elseif redis.call("ZSCORE", start .. "failed", id) then state = "failed"
elseif redis.call("LPOS", start .. "active", id) then state = "active"
elseif redis.call("ZSCORE", start .. "delayed", id) then state = "delayed"
elseif redis.call("EXISTS", start .. id) == 1 then state = "waiting" end
return cjson.encode({
  digest = digest, ledger = redis.call("HGETALL", ledger), doubts = redis.call("ZRANGE", start .. "doubts", 0, -1), jobs = jobs, noted = noted,
  state = state, failure = redis.call("HGET", start .. id, "failedReason") or "", result = redis.call("HGET", start .. id, "returnvalue") or "",
  deliveries = tonumber(redis.call("HGET", start .. id, "ats") or 0),
  isLocked = redis.call("EXISTS", start .. id .. ":lock") == 1, hasNotedEffects = redis.call("HEXISTS", start .. id, "dedupKey") == 1,
  isCancelled = redis.call("HEXISTS", start .. id, "defa") == 1, expires = redis.call("PTTL", ledger) > 0,
  looks = redis.call("ZCARD", start .. "ledgers") + redis.call("LLEN", start .. "ledgers:new") })`;

const RESTORE = `
redis.call("FLUSHDB")
redis.call("SET", "${CLOCK}", ARGV[1])
redis.call("SET", "${MUTANT}", ARGV[4])
redis.call("SELECT", ARGV[3])
local all = redis.call("LRANGE", ARGV[2], 0, -1)
redis.call("SELECT", 0)
for at = 1, #all, 3 do redis.call("RESTORE", all[at + 1], all[at], all[at + 2]) end`;

const PASS = `
local ms = tonumber(ARGV[1])
for _, key in ipairs(redis.call("KEYS", "*")) do
  local left = redis.call("PTTL", key)
  if left > 0 then
    if left <= ms then redis.call("DEL", key) else redis.call("PEXPIRE", key, left - ms) end
  end
end
redis.call("SET", "${CLOCK}", ARGV[2])`;

/** One real Redis, which is brought back to where a run begins. */
export class Store {
  readonly redis: Redis;
  readonly #sent = new Map<string, string>();
  readonly #ownDigests = new Map<string, string>();
  readonly #digests = new Map<string, string>();
  readonly #sources = new Map<string, string>();
  /** A script that Redis does not know yet is behind its own text. */
  #loading: Promise<string> | undefined;

  constructor(url: string) {
    this.redis = new Redis(url, { enableAutoPipelining: false });
  }

  /** Learns the text of a script that is called by its digest. */
  learn(source: string): string {
    const known = this.#digests.get(source);
    if (known !== undefined) return known;
    const sha1 = sha1Of(source);
    this.#digests.set(source, sha1);
    this.#sources.set(sha1, source);
    return sha1;
  }

  sourceOf(sha1: string): string | undefined {
    return this.#sources.get(sha1);
  }

  /** Does one command as an actor has sent it. */
  async perform(name: string, args: readonly (string | Buffer | number)[]): Promise<Answer> {
    try {
      const reply =
        name === "eval" || name === "evalsha" ? await this.#run(name, args) : await this.#send(name, args);
      return { reply, text: textOf(reply) };
    } catch (error) {
      return { error: error as Error };
    }
  }

  async #run(name: string, [script, ...args]: readonly (string | Buffer | number)[]): Promise<unknown> {
    const source = name === "eval" ? String(script) : this.#sources.get(String(script));
    if (source === undefined) throw new Error(`NOSCRIPT ${String(script)}`);
    if (name === "eval") this.learn(source);
    // At once where it can be: what is read next must come after it.
    const known = this.#sent.get(source);
    if (known !== undefined) return await this.#send("evalsha", [known, ...args]);
    this.#loading = this.#load(source);
    return await this.#send("evalsha", [await this.#loading, ...args]);
  }

  async #load(source: string): Promise<string> {
    const shebang = /^#!.*\n/.exec(source)?.[0] ?? "";
    const sha1 = String(
      await this.#send("script", ["LOAD", shebang + PRELUDE + source.slice(shebang.length)]),
    );
    this.#sent.set(source, sha1);
    return sha1;
  }

  #send(name: string, args: readonly (string | Buffer | number)[]): Promise<unknown> {
    const command = new Command(name, [...args], { replyEncoding: null });
    return this.redis.sendCommand(command) as Promise<unknown>;
  }

  /** The explorer's own scripts have no prelude. */
  async #own(source: string, args: readonly (string | number)[]): Promise<unknown> {
    let sha1 = this.#ownDigests.get(source);
    if (sha1 === undefined) {
      sha1 = String(await this.redis.script("LOAD", source));
      this.#ownDigests.set(source, sha1);
    }
    return await this.redis.evalsha(sha1, 0, ...args);
  }

  async see({ start, ledger, id }: SeenKeys): Promise<Seen> {
    if (this.#loading !== undefined) await this.#loading;
    this.#loading = undefined;
    const {
      noted,
      ledger: fields,
      doubts,
      jobs,
      ...seen
    } = JSON.parse(String(await this.#own(SEE, [start, ledger, id, MOMENTS])));
    for (const condition of Object.values<string>(noted)) mutation.seen.add(condition);
    const flat = Object.values<string>(fields);
    const pairs = flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1] ?? ""] as const] : []));
    // Lua writes an empty list as an object.
    return { ...seen, ledger: new Map(pairs), doubts: Object.values(doubts), jobs: Object.values(jobs) };
  }

  /** Time passes: what expires meanwhile is gone. */
  async pass(ms: number, now: number): Promise<void> {
    await this.#own(PASS, [ms, now]);
  }

  /** Brings all of Redis back to a moment that was seen. */
  async restore({ digest }: Seen, now: number): Promise<void> {
    const { id, becomes } = mutation.active ?? {};
    await this.#own(RESTORE, [now, digest, MOMENTS, id === undefined ? "" : `${id} ${becomes}`]);
  }
}

/** Which keys the invariants ask for. */
export interface SeenKeys {
  readonly start: string;
  readonly ledger: string;
  /** Of the job; "" for the one that there is. */
  readonly id: string;
}

function sha1Of(source: string): string {
  return createHash("sha1").update(source).digest("hex");
}

function textOf(reply: unknown): string {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (Array.isArray(reply)) return `[${reply.map(textOf).join(", ")}]`;
  return String(reply);
}
