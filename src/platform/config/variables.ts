import { z } from "zod";
import { allowedHosts } from "../lib/hosts.ts";
import { apiKeys } from "./api-keys.ts";
import { encryptionKeysSchema } from "./encryption-keys.ts";
import { rateLimits } from "./rate-limits.ts";
import { redisUrlFault } from "./redis-url-fault.ts";

/** Settings of Redis that an operator states, by name. */
export type StatedSettings = ReadonlyMap<string, string>;

/** The settings that the guarantees rest on. */
const requiredSettings = [
  "maxmemory-policy",
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "min-replicas-to-write",
  "min-replicas-max-lag",
] as const;

const ENTRY = new RegExp(`^(${requiredSettings.join("|")})=([a-z0-9-]{1,30})$`);

/** `NAME=VALUE`, comma-separated. */
const statedSettings = z
  .string()
  .transform((text) => text.split(",").map((entry) => ENTRY.exec(entry.trim())))
  .refine((entries) => entries.every((entry) => entry !== null))
  .transform(
    (entries): StatedSettings => new Map(entries.map((entry) => [entry?.[1] ?? "", entry?.[2] ?? ""])),
  )
  .default(new Map());

/** One environment variable: how its text becomes a value, and its reference. */
export interface Variable<T> {
  readonly schema: z.ZodType<T, string | undefined>;
  /** Completes "expected …" when the text does not parse. */
  readonly expected: string;
  /** One line for `.env.example` and the reference. */
  readonly meaning: string;
  /** The default as a person would write it; empty if there is none. */
  readonly fallback: string;
  /** A name that the command's own roles read instead where this one is not set. Embedded, it is the host's. */
  readonly bare?: string;
  /** The value must never be shown, not even in an error. */
  readonly secret?: true;
}

const variable = <T>(definition: Variable<T>): Variable<T> => definition;

const DAY_MS = 24 * 60 * 60 * 1000;

const text = (fallback: string) => z.string().min(1).default(fallback);
const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
const wholeNumber = (min: number, max: number, fallback: number) => number(min, max).default(fallback);
const optionalPort = number(0, 65_535).optional();
const optionalUrl = (protocols: RegExp) =>
  z
    .string()
    .refine((value) => protocols.test(value))
    .optional();

/** How much must survive before a job is acknowledged. */
export type Durability =
  | {
      readonly level: "memory" | "disk" | "disk-despite-failover";
      readonly replicas: 0;
      /** Whether none is configured. */
      readonly isDefault?: true;
    }
  | {
      readonly level: "replica";
      /** How many must confirm; where none is configured, those that can be promoted now, of the master that has most of them. */
      readonly replicas: number;
      readonly isDefault?: true;
    };

const durability = z
  .union([
    z
      .enum(["memory", "disk", "disk-despite-failover"])
      .transform((level): Durability => ({ level, replicas: 0 })),
    z
      .string()
      .regex(/^replica(:[1-9])?$/)
      .transform((value): Durability => ({ level: "replica", replicas: Number(value.split(":")[1] ?? "1") })),
  ])
  .default({ level: "disk", replicas: 0, isDefault: true });

/** As `HOLDFAST_DURABILITY` spells it. */
export function durabilityText({ level, replicas }: Durability): string {
  if (level !== "replica") return level;
  return replicas === 0 ? "disk" : `replica:${replicas}`;
}

/** How many attempts a worker process runs at a time. */
export interface Concurrency {
  /** For each queue that is not in `named`. */
  readonly each: number;
  readonly named: ReadonlyMap<string, number>;
}

const attempts = z.number().int().min(1).max(10_000);

const concurrency = z
  .string()
  .regex(/^\d+(,[a-z][a-z0-9-]{0,63}=\d+)*$/)
  .transform((value) => {
    const [each, ...named] = value.split(",");
    const numbers = named
      .map((entry) => entry.split("="))
      .map(([queue = "", n]) => [queue, Number(n)] as const);
    return { each: Number(each), named: new Map(numbers) };
  })
  .pipe(z.object({ each: attempts, named: z.map(z.string(), attempts) }))
  .default({ each: 20, named: new Map() });

/** Every variable that Holdfast reads. Nothing else in `src/` reads the environment. */
export const variables = {
  REDIS_URL: variable({
    schema: optionalUrl(/^(rediss?|unix|sentinel):\/\/./).superRefine((url, { addIssue }) => {
      const expected = url === undefined ? undefined : redisUrlFault(url);
      if (expected !== undefined) addIssue({ code: "custom", params: { expected } });
    }),
    expected: "redis://, rediss://, unix:// or sentinel:// (several nodes comma-separated)",
    meaning: "The Redis to use. Without it `holdfast up` runs an embedded server in the data directory.",
    fallback: "",
    secret: true,
  }),
  HOLDFAST_HOST: variable({
    schema: text("127.0.0.1"),
    expected: "an address to listen on",
    meaning: "Where the API listens. Other than loopback only with API keys.",
    bare: "HOST",
    fallback: "127.0.0.1",
  }),
  HOLDFAST_PORT: variable({
    schema: wholeNumber(0, 65_535, 3000),
    expected: "a port, 0 to 65535 (0: any free one)",
    meaning: "The port the API listens on.",
    bare: "PORT",
    fallback: "3000",
  }),
  HOLDFAST_ALLOWED_HOSTS: variable({
    schema: allowedHosts,
    expected: "host names or addresses, each with or without a port, comma-separated",
    meaning:
      "Host headers that are served without API keys, besides loopback names; also by metrics on loopback.",
    fallback: "",
  }),
  HOLDFAST_DATA_DIR: variable({
    schema: text(".holdfast"),
    expected: "a directory",
    meaning:
      "Files of the embedded server; the last seen epoch of Redis (to notice data loss), and its last known nodes.",
    fallback: ".holdfast",
  }),
  HOLDFAST_CONFIG: variable({
    schema: text("holdfast.config.ts"),
    expected: "a file",
    meaning:
      "The application: its jobs and schedules. The default may also end in .mts, .js or .mjs, or be in src/.",
    fallback: "holdfast.config.ts",
  }),
  HOLDFAST_APPLICATION_VERSION: variable({
    schema: z
      .string()
      .regex(/^[\x21-\x7e]{0,64}$/)
      .default(""),
    expected: "up to 64 characters without spaces",
    meaning:
      "Which version of the application a worker runs, such as its commit: shown with the worker, and what has failed only since the newest one came is marked.",
    fallback: "",
  }),
  HOLDFAST_API_KEYS: variable({
    schema: apiKeys,
    expected: "NAME:SCOPE+SCOPE:SHA256HEX, comma-separated; scopes are submit, read, operate, act",
    meaning: "Who may call the API (`holdfast keys create`). Without keys everyone on this machine may.",
    fallback: "",
    secret: true,
  }),
  HOLDFAST_RATE_LIMITS: variable({
    schema: rateLimits,
    expected: "NAME=COUNT/SECONDS or NAME:SCOPE=COUNT/SECONDS, comma-separated; * for every key",
    meaning:
      "How many requests an API key may make, and jobs it may submit, in how many seconds: `*=100/1,shop:submit=50000/86400`.",
    fallback: "",
  }),
  HOLDFAST_ENCRYPTION_KEYS: variable({
    schema: encryptionKeysSchema,
    expected: "ID:KEY, comma-separated, perhaps after `plain`; ids differ, each key is 32 bytes in base64",
    meaning: "The first key encrypts what is stored; all of them decrypt. After `plain` they only decrypt.",
    fallback: "",
    secret: true,
  }),
  HOLDFAST_DURABILITY: variable({
    schema: durability,
    expected: "memory, disk, replica or replica:N (N from 1 to 9), disk-despite-failover",
    meaning:
      "What acknowledged means: in memory, fsynced to disk, or also on N replicas. If empty: disk; where replicas can be promoted, replica:N with all of them.",
    fallback: "",
  }),
  HOLDFAST_STORE_TRUST: variable({
    schema: statedSettings,
    expected: `settings as NAME=VALUE, comma-separated, of ${requiredSettings.join(", ")}`,
    meaning: "Settings of a hosted Redis that forbids CONFIG GET, as its provider states them.",
    fallback: "",
  }),
  HOLDFAST_RETENTION_MS: variable({
    schema: wholeNumber(1_000, 366 * DAY_MS, 7 * DAY_MS),
    expected: "milliseconds, 1000 (a second) to 31622400000 (a year)",
    meaning: "How long an idempotency key is remembered, in milliseconds.",
    fallback: "604800000",
  }),
  HOLDFAST_KEEP_COMPLETED: variable({
    schema: wholeNumber(0, 10_000_000, 10_000),
    expected: "a number of jobs, 0 to 10000000",
    meaning: "How many completed jobs stay readable per queue, at most for the retention time.",
    fallback: "10000",
  }),
  HOLDFAST_KEEP_FAILED: variable({
    schema: wholeNumber(1, 10_000_000, 100_000),
    expected: "a number of jobs, 1 to 10000000",
    meaning: "How many failed jobs stay readable per queue, at most for the retention time.",
    fallback: "100000",
  }),
  HOLDFAST_KEEP_BYTES: variable({
    schema: number(1_000, 1e15).optional(),
    expected: "a number of bytes, 1000 to 1000000000000000",
    meaning:
      "Redis's memory for ended jobs of all queues and keys of guards; the oldest jobs go first, failed ones after a day.",
    fallback: "",
  }),
  HOLDFAST_PREFIX: variable({
    schema: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/i)
      .default("holdfast"),
    expected: "1 to 64 letters, digits, - or _",
    meaning: "The first part of every key in Redis, so that several applications can share one Redis.",
    fallback: "holdfast",
  }),
  HOLDFAST_CONCURRENCY: variable({
    schema: concurrency,
    expected:
      "a number of attempts, 1 to 10000, then QUEUE=NUMBER for queues with another number, comma-separated",
    meaning: "How many attempts one worker process runs at a time, per queue: 20, or 20,reports=2.",
    fallback: "20",
  }),
  HOLDFAST_LOCK_MS: variable({
    schema: wholeNumber(500, 600_000, 15_000),
    expected: "milliseconds, 500 to 600000",
    meaning:
      "How long a job's lock lasts without renewal, in milliseconds; then another worker claims the job.",
    fallback: "15000",
  }),
  HOLDFAST_STUCK_AFTER_MS: variable({
    schema: wholeNumber(1_000, 3_600_000, 30_000),
    expected: "milliseconds, 1000 to 3600000",
    meaning:
      "A worker with free slots that claims no job for this long while jobs wait is stuck: it ends, to be started again.",
    fallback: "30000",
  }),
  HOLDFAST_SUBSCRIBERS_MAX: variable({
    schema: wholeNumber(0, 1_000_000, 20_000),
    expected: "a number of clients, 0 to 1000000",
    meaning:
      "How many clients may wait for jobs, or stream jobs or the overview, at a time, per API process.",
    fallback: "20000",
  }),
  HOLDFAST_METRICS_PORT: variable({
    schema: optionalPort,
    expected: "a port, 0 to 65535 (0: any free one)",
    meaning:
      "Where each role serves /metrics, /health/live and /health/ready. The API also serves them at its own port; without this, worker and scheduler serve none.",
    fallback: "",
  }),
  HOLDFAST_METRICS_HOST: variable({
    schema: text("127.0.0.1"),
    expected: "an address to listen on",
    meaning: "The address for HOLDFAST_METRICS_PORT. It needs no key: keep it inside your network.",
    fallback: "127.0.0.1",
  }),
  HOLDFAST_STOP_GRACE_MS: variable({
    schema: wholeNumber(0, 3_600_000, 20_000),
    expected: "milliseconds, 0 to 3600000",
    meaning: "How long a stopping worker lets its running attempts finish, in milliseconds.",
    fallback: "20000",
  }),
  HOLDFAST_TRACE_URL: variable({
    schema: z
      .string()
      .refine((value) => /^https?:\/\/./.test(value) && value.includes("{traceId}"))
      .optional(),
    expected: "http:// or https://, with {traceId}",
    meaning:
      "Where a job's trace is shown, e.g. https://tempo.example/trace/{traceId}: a link of its page and of `jobs show`.",
    fallback: "",
  }),
  DATABASE_URL: variable({
    schema: z.string().min(1).optional(),
    expected: "a URL",
    meaning:
      "The database with the outbox, for relays and operators: postgres://. Another database's URL, or one without the table, is ignored by `up` and `dev`.",
    fallback: "",
    secret: true,
  }),
  HOLDFAST_OUTBOX_KEEP_MS: variable({
    schema: wholeNumber(0, 366 * DAY_MS, 0),
    expected: "milliseconds, 0 to 31622400000 (a year)",
    meaning:
      "How long rows of the outbox stay after their jobs were accepted, in milliseconds. 0: not at all.",
    fallback: "0",
  }),
  SMTP_URL: variable({
    schema: optionalUrl(/^smtps?:\/\/./),
    expected: "smtp:// or smtps://",
    meaning:
      "The mail server of jobs that send mail; their worker does not start without it. `npm start` in a checkout brings a mailbox.",
    fallback: "",
    secret: true,
  }),
  HOLDFAST_LOG_LEVEL: variable({
    schema: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
    expected: "trace, debug, info, warn, error, fatal or silent",
    meaning:
      "The least severe level that is logged. Logs are JSON lines on standard error, pretty in a terminal.",
    bare: "LOG_LEVEL",
    fallback: "info",
  }),
};

export type VariableName = keyof typeof variables;
