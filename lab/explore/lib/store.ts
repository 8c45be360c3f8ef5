import { createHash } from "node:crypto";
import { Command, Redis } from "ioredis";
import type { Entry, Seen } from "../invariants.ts";
import { mutation } from "../mutants/mutation.ts";
import type { Names } from "./machine.ts";
import type { Answer } from "./world.ts";

/** Redis's clock, for the scripts; the mutant in which they run, and what their conditions were. Nothing of it is Redis's in what is seen. */
const [CLOCK, MUTANT, NOTED] = ["own:now", "own:mutant", "own:noted"];

/** Real time passes, too: what it has taken of a key's time since the last step, less than half a second, is given back. */
const LEFT = "local function left(ttl) return ttl > 0 and math.ceil(ttl / 500) * 500 or ttl end";

/** Stands before each script: its time is the world's. The rest of the script is as it ships, but for its conditions where those are noted. */
const PRELUDE = `local redis = (function(real)
  ${LEFT}
  local function timed(name, ...)
    if name == "PTTL" then return left(real.call(name, ...)) end
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

/** The database that keeps what Redis had at a moment. */
const MOMENTS = 1;

/** Streams, of events and of what people did, have Redis's real time, and no step reads them. */
const SEE = `
${LEFT}
local start, ledger, id, own = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local noted = redis.call("SMEMBERS", "${NOTED}")
redis.call("DEL", "${NOTED}")
local keys, all, jobs = redis.call("KEYS", "*"), {}, {}
table.sort(keys)
for _, key in ipairs(keys) do
  if not string.find(key, ":events$") and not string.find(key, ":audit$") and string.sub(key, 1, 4) ~= "own:" then
    local ttl = left(redis.call("PTTL", key))
    if ttl > 0 then redis.call("PEXPIRE", key, ttl) end
    all[#all + 1] = math.max(ttl, 0)
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
local state = id == "none" and "none" or "gone"
if redis.call("ZSCORE", start .. "completed", id) then state = "completed"
elseif redis.call("ZSCORE", start .. "failed", id) then state = "failed"
elseif redis.call("LPOS", start .. "active", id) then state = "active"
elseif redis.call("ZSCORE", start .. "delayed", id) then state = "delayed"
elseif redis.call("EXISTS", start .. id) == 1 then state = "waiting" end
return cjson.encode({
  digest = digest, ledger = redis.call("HGETALL", ledger), doubts = redis.call("ZRANGE", start .. "doubts", 0, -1), jobs = jobs, noted = noted,
  job = state, failure = redis.call("HGET", start .. id, "failedReason") or "", result = redis.call("HGET", start .. id, "returnvalue") or "",
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

type Given = string | Buffer | number;

/** One real Redis, which is brought back to where a run begins. */
export class Store {
  readonly redis: Redis;
  /** Digests under which Redis has scripts, by their texts. */
  readonly #loaded = new Map<string, string>();
  /** Texts of scripts, by the digests that the code under exploration computes. */
  readonly #sources = new Map<string, string>();

  constructor(socket: string) {
    this.redis = new Redis(socket, { enableAutoPipelining: false });
  }

  /** What is sent by its text first is called by its digest later. */
  learn(source: string): string {
    this.#sources.set(sha1Of(source), source);
    return source;
  }

  sourceOf(sha1: string): string | undefined {
    return this.#sources.get(sha1);
  }

  /** Does one command as an actor has sent it. */
  async perform(name: string, args: readonly Given[]): Promise<Answer> {
    try {
      const reply = await (/^eval/.test(name) ? this.#run(name, args) : this.#send(name, args));
      return { reply, text: textOf(reply) };
    } catch (error) {
      return { error: error as Error };
    }
  }

  #run(name: string, [script, ...args]: readonly Given[]): Promise<unknown> {
    const source = name === "eval" ? String(script) : this.sourceOf(String(script));
    if (source === undefined) throw new Error(`NOSCRIPT ${String(script)}`);
    return this.#send("evalsha", [this.#load(source, PRELUDE), ...args]);
  }

  /** Sends a script in front of its first call. */
  #load(source: string, prelude = ""): string {
    const known = this.#loaded.get(source);
    if (known !== undefined) return known;
    const shebang = /^#!.*\n/.exec(source)?.[0] ?? "";
    const text = shebang + prelude + source.slice(shebang.length);
    void this.redis.script("LOAD", text);
    this.#loaded.set(source, sha1Of(text));
    return sha1Of(text);
  }

  #send(name: string, args: readonly Given[]): Promise<unknown> {
    const { stream } = this.redis;
    // What is asked in one turn is one write.
    stream.cork();
    process.nextTick(() => stream.uncork());
    const command = new Command(name, [...args], { replyEncoding: null });
    return this.redis.sendCommand(command) as Promise<unknown>;
  }

  #own(source: string, ...args: Given[]): Promise<unknown> {
    return this.#send("evalsha", [this.#load(source), 0, ...args]);
  }

  /** @param id of the job; "" for the one that there is */
  async see({ start, ledger }: Names, id: string): Promise<Seen> {
    const found = JSON.parse(String(await this.#own(SEE, start, ledger, id, MOMENTS)));
    for (const condition of Object.values<string>(found.noted)) mutation.seen.add(condition);
    // Lua writes an empty list as an object.
    const flat = Object.values<string>(found.ledger);
    const fields = new Map(
      flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1] ?? ""] as const] : [])),
    );
    const entries = [...fields].filter(([field]) => field.startsWith("e:"));
    const doubts = Object.values<string>(found.doubts);
    return {
      ...found,
      entries: new Map(entries.map(([field, json]) => [field.slice(2), JSON.parse(json) as Entry])),
      open: Number(fields.get("open") ?? 0),
      // Without the field it is one, or none where the ledger expires.
      jobsCounted: Number(fields.get("jobs") ?? (found.expires ? 0 : 1)),
      fence: fields.size === 0 ? undefined : Number(fields.get("fence") ?? 0),
      expires: found.expires || fields.size === 0,
      doubts: doubts.map((member) => member.slice(member.indexOf("/") + 1)),
      jobs: Object.values(found.jobs),
    };
  }

  /** Time passes: what expires meanwhile is gone. */
  async pass(ms: number, now: number): Promise<void> {
    await this.#own(PASS, ms, now);
  }

  /** Brings all of Redis back to a moment that was seen. */
  async restore({ digest }: Seen, now: number): Promise<void> {
    const { id, becomes } = mutation.active ?? {};
    await this.#own(RESTORE, now, digest, MOMENTS, id === undefined ? "" : `${id} ${becomes}`);
  }
}

function sha1Of(source: string): string {
  return createHash("sha1").update(source).digest("hex");
}

function textOf(reply: unknown): string {
  if (Array.isArray(reply)) return `[${reply.map(textOf).join(", ")}]`;
  return String(reply);
}
