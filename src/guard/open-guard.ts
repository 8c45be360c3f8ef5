import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { connectQueues } from "../core/bullmq/store/connect-queues.ts";
import { openFingerprintSecrets } from "../core/bullmq/store/fingerprint-secrets.ts";
import { nameSchema, repeated, standardSchema } from "../core/define/declaration.ts";
import type { EffectOptionsInUse } from "../core/effect/effect-run.ts";
import { doubtUnreported } from "../core/effect/ledger/ledger.ts";
import { createEvents } from "../core/events.ts";
import { effectKeyOf } from "../core/job/dedup-key.ts";
import { type EffectCall, effectDeclarationSchema, type RunEffect } from "../core/job/effect.ts";
import { leavesEffect } from "../evidence/outgoing/own-word.ts";
import { currentRecord } from "../evidence/outgoing/scope.ts";
import { readSettings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { silentLogger } from "../platform/lib/logger.ts";
import { stopAll, stopOnce } from "../platform/lib/running.ts";
import { textOf } from "../platform/lib/thrown.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import { redisUrlOf } from "../platform/redis/redis-url-of.ts";
import { checkCall, wrong } from "./call.ts";
import type { Guard, GuardedCall, GuardedEffect, GuardOptions } from "./guard.ts";
import { GuardLedgers } from "./guarded-ledger.ts";
import { guardPlaces, startGuardSweep, watchPlaces } from "./places.ts";
import { type CallTools, runCall } from "./run-call.ts";

const YEAR_MS = 366 * 24 * 60 * 60_000;

/** Nothing but ledgers. */
const application = {
  jobs: new Map(),
  queues: [],
  queueSettings: new Map(),
  schedules: [],
  handlers: async () => [],
};

type Rest = [run: (call: EffectCall) => Promise<unknown>, options?: EffectOptionsInUse];

/** See `createGuard`. */
export async function openGuard(options: GuardOptions): Promise<Guard> {
  requireOptions(options);
  const { effects, connection, env, logger } = options;
  const read = readSettings(env);
  const settings = connection === undefined ? read : { ...read, REDIS_URL: redisUrlOf(connection) };
  const queues = await connectQueues(application, settings, [], "fail-fast", logger, "guest");
  const name = `guard-${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const secrets = openFingerprintSecrets(queues, settings.HOLDFAST_PREFIX, guardPlaces);
  const ledgers = new Map<string, GuardLedgers>();
  const ledgersOf = (place: string) => {
    const open = () => new GuardLedgers(queues.stores.of(place), name, settings, secrets.of(place));
    const opened = ledgers.get(place) ?? open();
    ledgers.set(place, opened);
    return opened;
  };
  const { HOLDFAST_RETENTION_MS: rememberMs, HOLDFAST_KEEP_BYTES: keepBytes } = settings;
  const tools = { ledgersOf, rememberMs, events: createEvents(), log: logger ?? silentLogger };
  queues.epochs.onLoss(async (place) => {
    const opened = ledgers.get(place);
    if (opened !== undefined) await doubtUnreported(opened.queue);
  });
  await watchPlaces(queues.stores);

  const nameIn = (place: string) => (ledgers.has(place) ? name : undefined);
  const sweep = startGuardSweep(queues.stores, { log: logger, keepBytes, nameIn });
  const { drain, ...calls } = callsOf(effects, tools);
  const stop = stopOnce(async () => {
    await drain();
    const leaving = [...ledgers.values()].map(async ({ queue: { store, unreported, runsLeft } }) => {
      // What this process left in doubt may yet happen where something of it goes on.
      if (unreported.size + runsLeft.size === 0) await store.client.zrem(store.keys.workersSeen, name);
    });
    await Promise.allSettled(leaving);
    await stopAll([queues, sweep]);
  });
  return { ...calls, stop, [Symbol.asyncDispose]: stop };
}

function callsOf(effects: readonly GuardedEffect[], opened: Omit<CallTools, "isClosed" | "waitFor">) {
  const known = new Map(effects.map((effect) => [effect.name, effect]));
  const running = new Set<Promise<unknown>>();
  const reports = new Set<Promise<unknown>>();
  let isStopping = false;
  const tools = {
    ...opened,
    // What still runs may need another effect to end.
    isClosed: () => isStopping && currentRecord() === undefined,
    waitFor(report: Promise<unknown>) {
      reports.add(report);
      const answered = () => void reports.delete(report);
      report.then(answered, answered);
    },
  };
  const once = async (effect: GuardedEffect | undefined, name: unknown, call: GuardedCall, ...rest: Rest) => {
    if (effect === undefined || known.get(effect.name) !== effect)
      throw wrong("/effect", `expected one of the guard's effects, got ${textOf(name)}`);
    if (tools.isClosed())
      throw new HoldfastError("STORE_UNAVAILABLE", "The guard is stopped; the effect was not begun");
    const checked = checkCall(effect, call, ...rest);
    const work = runCall(tools, effect, checked, rest[0]);
    running.add(work);
    try {
      return await work;
    } catch (error) {
      leavesEffect(error, effectKeyOf(checked.named.dedupKey, effect.name));
      throw error;
    } finally {
      running.delete(work);
    }
  };
  return {
    // An effect's schema has made its result.
    once: ((effect: GuardedEffect | null | undefined, ...rest: [GuardedCall, ...Rest]) =>
      once(effect ?? undefined, effect?.name ?? effect, ...rest)) as Guard["once"],
    effectsOf(call: GuardedCall) {
      const effect = (name: string, ...rest: Rest) => once(known.get(name), name, call, ...rest);
      return effect as RunEffect<string, string>;
    },
    async drain() {
      isStopping = true;
      while (running.size > 0) await Promise.allSettled([...running]);
      // Where Redis stays away, nobody waits for more.
      if (reports.size > 0) await inTime(Promise.allSettled(reports)).catch(() => {});
    },
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
const effectSchema = z
  .custom((value) => isObject(value) && "declaration" in value, "expected what defineEffect has made")
  .pipe(
    z.object({
      name: nameSchema,
      declaration: effectDeclarationSchema,
      rememberMs: z.number().int().min(1_000).max(YEAR_MS).optional(),
      result: standardSchema.optional(),
    }),
  );
const optionsSchema = z.strictObject({
  effects: z.array(effectSchema).superRefine((effects, context) => {
    const twice = repeated(effects.map(({ name }) => name));
    if (twice.length > 0) context.addIssue(`declared twice: ${twice.join(", ")}`);
  }),
  // Whoever reads it says what is wrong with it.
  connection: z.unknown().optional(),
  env: z.custom(isObject, "expected the variables as an object").optional(),
  logger: z
    .custom(
      (value) => isObject(value) && typeof value.warn === "function",
      "expected a logger such as pino's",
    )
    .optional(),
});

/** @throws HoldfastError `APPLICATION_INVALID` */
function requireOptions(options: GuardOptions): void {
  const faults = optionsSchema
    .safeParse(options)
    .error?.issues.map(({ path, message }) => `${path.join(".") || "options"}: ${message}`);
  if (faults) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}
