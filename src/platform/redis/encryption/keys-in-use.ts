import { createHmac, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { EncryptionKey } from "../../config/encryption-keys.ts";
import type { Settings } from "../../config/settings.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { Logger } from "../../lib/logger.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { orStop, type Running, stopOnce } from "../../lib/running.ts";
import type { ConnectedRedis } from "../connect.ts";
import type { RedisConnection } from "../connection.ts";
import { redisNow } from "../fitness/clock.ts";
import { inTime, START_DEADLINE_MS } from "../redis-errors.ts";
import { begins, oneOf, text } from "../reply-shape.ts";
import { loadDeclaringScript } from "../script.ts";
import { keyIdOf } from "./codec.ts";
import { fingerprintSecretKey } from "./shared-secret.ts";

/** Which encryption keys are in use, and which each process has. One slot. */
export function encryptionKeys(prefix: string) {
  const start = `${prefix}:{encryption}`;
  return { inUse: `${start}:in-use`, processes: `${start}:processes`, seen: `${start}:seen` };
}

/**
 * Whether this process has the encryption keys that others use, and others have the one that it encrypts with.
 *
 * Otherwise one of them could not read the other's jobs, nor find an effect whose index the other has encrypted.
 */
export interface KeysInUse extends Running {
  /** Why this process may not work; undefined while its keys fit. */
  fault(): HoldfastError | undefined;
  /** @throws HoldfastError `ENCRYPTION_KEYS_DIFFER` */
  assertFit(): void;
  /** Called when that changes. */
  onChange(listener: () => void): void;
}

const ANNOUNCED_EVERY_MS = 5_000;
/** After three missed announcements. */
const GONE_AFTER_MS = 3 * ANNOUNCED_EVERY_MS;
const RETRY_AFTER_MS = ANNOUNCED_EVERY_MS;

const agree = loadDeclaringScript(
  import.meta.url,
  "agree-on-keys.lua",
  begins([oneOf("fits", "lacks", "ahead")], text),
);

/**
 * Announces the keys of this process, now and from now on. If they do not fit, the connection is closed.
 *
 * @throws HoldfastError `ENCRYPTION_KEYS_DIFFER`, `STORE_UNAVAILABLE`
 */
export async function openKeysInUse(
  store: ConnectedRedis,
  settings: Settings,
  log?: Logger,
): Promise<KeysInUse> {
  const { client } = store;
  const announcement = announcementOf(settings);
  const listeners: (() => void)[] = [];
  let fault: HoldfastError | undefined;

  const announce = oneAtATime(async () => {
    const found = await announced(client, announcement);
    const hasChanged = found?.message !== fault?.message;
    fault = found;
    if (!hasChanged) return;
    if (found === undefined) log?.info("the encryption keys fit again; going on");
    else log?.error({ code: found.code }, found.message);
    for (const listener of listeners) listener();
  });
  await orStop(
    store,
    inTime(announced(client, announcement), START_DEADLINE_MS).then(
      (found) => {
        if (found !== undefined) throw found;
      },
      (error: HoldfastError) => {
        // A Redis that refuses all writes takes none of this process's either. It is asked again.
        if (!isRefusedWrite(error)) throw error;
      },
    ),
  );
  const timer = setInterval(() => {
    // A retrying connection would keep the command until Redis is back.
    if (client.status === "ready") announce().catch(() => {});
  }, ANNOUNCED_EVERY_MS);
  return {
    fault: () => fault,
    assertFit() {
      if (fault !== undefined) throw fault;
    },
    onChange: (listener) => void listeners.push(listener),
    stop: stopOnce(async () => {
      clearInterval(timer);
      if (client.status !== "ready") return;
      const { keys, process } = announcement;
      const leaving = Promise.all([client.hdel(keys.processes, process), client.zrem(keys.seen, process)]);
      await inTime(leaving).catch(() => {});
    }),
  };
}

const REFUSED_WRITE = /^(NOREPLICAS|MISCONF|OOM|READONLY)\b/;

function isRefusedWrite({ cause }: HoldfastError): boolean {
  return cause instanceof Error && REFUSED_WRITE.test(cause.message);
}

interface Announcement {
  readonly keys: ReturnType<typeof encryptionKeys>;
  readonly secretKey: string;
  readonly process: string;
  readonly args: readonly (string | number)[];
  /** The ids of the keys that it has. */
  readonly ids: ReadonlySet<string>;
}

function announcementOf(settings: Settings): Announcement {
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_ENCRYPTION_KEYS: own, HOLDFAST_RETENTION_MS: keepMs } = settings;
  const names = own.all.map(nameOf);
  const process_ = `${hostname()}:${process.pid} ${randomUUID()}`;
  return {
    keys: encryptionKeys(prefix),
    secretKey: fingerprintSecretKey(prefix),
    process: process_,
    args: [process_, own.first === undefined ? "" : nameOf(own.first), keepMs, GONE_AFTER_MS, ...names],
    ids: new Set(own.all.map(({ id }) => id)),
  };
}

/** Two keys with one id are two keys. It shows nothing of the key's bytes. */
function nameOf({ id, key }: EncryptionKey): string {
  const mark = createHmac("sha256", key.export()).update("holdfast: which key this is").digest("hex");
  return `${id}:${mark.slice(0, 12)}`;
}

/** @returns why the keys do not fit */
async function announced(
  client: RedisConnection,
  { keys, secretKey, args, ids }: Announcement,
): Promise<HoldfastError | undefined> {
  // Also written by builds that announced nothing.
  const secretId = keyIdOf((await client.get(secretKey)) ?? "");
  if (secretId !== undefined && !ids.has(secretId)) return lacking([`"${secretId}"`]);
  const [verdict, ...found] = await agree.run(client, [keys.inUse, keys.processes, keys.seen], args);
  if (verdict === "lacks") return lacking(found.map((name) => keyText(name, ids)));
  if (verdict === "ahead") return ahead(String(args[1]).split(":")[0] ?? "", found);
  return undefined;
}

function keyText(name: string, ids: ReadonlySet<string>): string {
  const [id = ""] = name.split(":");
  return `"${id}"${ids.has(id) ? ", whose bytes differ" : ""}`;
}

function lacking(keys: readonly string[]): HoldfastError {
  return differ(
    `other processes encrypt with a key that HOLDFAST_ENCRYPTION_KEYS does not hold: ${keys.join(", ")}. Remedy: add it`,
  );
}

const NAMED_MAX = 5;

function ahead(key: string, processes: readonly string[]): HoldfastError {
  const names = [...new Set(processes.map((process) => process.split(" ")[0]))];
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : "";
  return differ(
    `key "${key}" would encrypt what processes without it run: ${names.slice(0, NAMED_MAX).join(", ")}${more}. ` +
      "Remedy: restart those first with this key behind what encrypts now, or behind `plain` where nothing does",
  );
}

function differ(why: string): HoldfastError {
  const message = `The encryption keys do not fit: ${why} (see docs/secure.md)`;
  return new HoldfastError("ENCRYPTION_KEYS_DIFFER", message, { retryAfterMs: RETRY_AFTER_MS });
}

/** What is announced now, as a reader with these settings sees it. */
export interface KeysReading {
  /** The ids of the keys in use. */
  readonly encryptsWith: readonly string[];
  /** Those of them that the settings lack. */
  readonly lacking: readonly string[];
  readonly processes: number;
}

export async function readKeysInUse(client: RedisConnection, settings: Settings): Promise<KeysReading> {
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_ENCRYPTION_KEYS: own, HOLDFAST_RETENTION_MS: keepMs } = settings;
  const keys = encryptionKeys(prefix);
  const [announced, processes, now] = await Promise.all([
    client.hgetall(keys.inUse),
    client.hlen(keys.processes),
    redisNow(client),
  ]);
  const known = new Set(own.all.map(nameOf));
  const ids = new Set(own.all.map(({ id }) => id));
  const inUse = Object.keys(announced).filter((name) => now - Number(announced[name]) <= keepMs);
  return {
    encryptsWith: inUse.map((name) => name.split(":")[0] ?? ""),
    lacking: inUse.filter((name) => !known.has(name)).map((name) => keyText(name, ids)),
    processes,
  };
}
