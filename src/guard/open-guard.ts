import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { connectQueues } from "../core/bullmq/store/connect-queues.ts";
import { openFingerprintSecrets } from "../core/bullmq/store/fingerprint-secrets.ts";
import { doubtUnreported } from "../core/effect/ledger/ledger.ts";
import { createEvents } from "../core/events.ts";
import {
  type EffectCall,
  effectDeclarationSchema,
  type Policies,
  type RunEffect,
} from "../core/job/effect.ts";
import type { Jsonified } from "../core/job/jsonified.ts";
import { readSettings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { silentLogger } from "../platform/lib/logger.ts";
import { malformed, parseInput } from "../platform/lib/parse-json.ts";
import { stopAll, stopOnce } from "../platform/lib/running.ts";
import { isSchema, noSchema, schemaFault } from "../platform/lib/schema.ts";
import { redisUrlOf } from "../platform/redis/redis-url-of.ts";
import type { GuardedEffect } from "./define-effect.ts";
import type { Guard, GuardedCall, GuardOptions, OnceOptions } from "./guard.ts";
import { GuardLedgers } from "./guarded-ledger.ts";
import { canonicalContent, nameCall } from "./name-call.ts";
import { guardPlaces, startGuardSweep } from "./places.ts";
import { type CallTools, type CheckedCall, runCall } from "./run-call.ts";

const SWEEP_EVERY_MS = 5_000;
const YEAR_MS = 366 * 24 * 60 * 60_000;

/** Nothing but ledgers. */
const application = {
  jobs: new Map(),
  queues: [],
  queueSettings: new Map(),
  schedules: [],
  handlers: async () => [],
};

/** See `createGuard`. */
export async function openGuard({ effects, connection, env, logger }: GuardOptions): Promise<Guard> {
  requireEffects(effects);
  const read = readSettings(env);
  const settings = connection === undefined ? read : { ...read, REDIS_URL: redisUrlOf(connection) };
  const queues = await connectQueues(application, settings, [], "fail-fast", logger, "guest");
  const name = `guard-${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const secrets = openFingerprintSecrets(queues, settings.HOLDFAST_PREFIX, guardPlaces);
  const ledgers = new Map<string, GuardLedgers>();
  const tools: CallTools = {
    ledgersOf(place) {
      const opened = ledgers.get(place) ?? new GuardLedgers(queues.stores.of(place), name, settings);
      ledgers.set(place, opened);
      return opened;
    },
    secretOf: (place) => secrets.of(place),
    rememberMs: settings.HOLDFAST_RETENTION_MS,
    events: createEvents(),
    log: logger ?? silentLogger,
  };
  queues.epochs.onLoss(async (place) => {
    const opened = ledgers.get(place);
    if (opened !== undefined) await doubtUnreported(opened.queue);
  });

  const sweep = startGuardSweep(queues.stores, {
    everyMs: SWEEP_EVERY_MS,
    log: logger,
    keepBytes: settings.HOLDFAST_KEEP_BYTES,
    nameIn: (place) => (ledgers.has(place) ? name : undefined),
  });
  const running = new Set<Promise<unknown>>();
  const stop = stopOnce(async () => {
    await Promise.allSettled([...running]);
    await leave(ledgers, name);
    await stopAll([queues, sweep]);
  });
  return { ...callsOf(effects, tools, running), stop, [Symbol.asyncDispose]: stop };
}

/** Only where nothing of this process goes on: what it left in doubt may otherwise yet happen. */
async function leave(ledgers: ReadonlyMap<string, GuardLedgers>, name: string): Promise<void> {
  const idle = [...ledgers.values()].filter((place) => !place.hasRunsLeft());
  const left = idle.map(({ store: { client, keys } }) => client.zrem(keys.workersSeen, name));
  await Promise.allSettled(left);
}

function callsOf(
  effects: readonly GuardedEffect[],
  tools: CallTools,
  running: Set<Promise<unknown>>,
): Pick<Guard, "once" | "effectsOf"> {
  const known = new Map(effects.map((effect) => [effect.name, effect]));
  const runTracked: typeof runCall = async (...call) => {
    const work = runCall(...call);
    running.add(work);
    try {
      return await work;
    } finally {
      running.delete(work);
    }
  };
  return {
    async once<Result, Stored, P extends Policies[string]>(
      effect: GuardedEffect<Result, Stored, P>,
      call: GuardedCall,
      run: (call: EffectCall) => Promise<Result>,
      ...[options]: OnceOptions<Stored, P>
    ) {
      if (known.get(effect.name) !== effect) throw undeclared(effect.name);
      // The compiler does not see that either form of options is one in use.
      const checked = checkCall(effect, call, options as CheckedCall["options"] | undefined);
      // The effect's schema has made it.
      return (await runTracked(tools, effect, checked, run)) as Jsonified<Stored>;
    },
    effectsOf(call) {
      const effect = async (name: string, run: Parameters<typeof runCall>[3], options: object = {}) => {
        const declared = known.get(name);
        if (declared === undefined) throw undeclared(name);
        return await runTracked(tools, declared, checkCall(declared, call, options), run);
      };
      return effect as RunEffect<string, string>;
    },
  };
}

function undeclared(name: string): HoldfastError {
  return malformed([{ pointer: "/effect", message: `expected one of the guard's effects, got "${name}"` }]);
}

const callSchema = z.strictObject({
  key: z.unknown().optional(),
  content: z.unknown().optional(),
  waitMs: z.number().min(0).max(600_000).default(0),
  by: z.string().max(200).optional(),
  about: z.string().max(500).optional(),
});

/** @throws HoldfastError `IDEMPOTENCY_KEY_MISSING`, `IDEMPOTENCY_KEY_INVALID`, `INVALID_REQUEST` */
function checkCall(
  { declaration, name }: GuardedEffect,
  call: GuardedCall,
  options: CheckedCall["options"] = {},
): CheckedCall {
  const { content, waitMs, by = null, about = null } = parseInput(callSchema, call);
  const { key } = call;
  if (key === undefined)
    throw new HoldfastError("IDEMPOTENCY_KEY_MISSING", `Effect "${name}": expected a key`);
  const named = nameCall(name, key);
  if (declaration.inDoubt === "probe" && typeof options.probe !== "function")
    throw malformed([
      { pointer: "/probe", message: `expected a function: effect "${name}" is declared "probe"` },
    ]);
  return { named, key, content: canonicalContent(content), waitMs, by, about, options };
}

const nameSchema = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const rememberSchema = z.number().int().min(1_000).max(YEAR_MS).optional();

function requireEffects(effects: readonly GuardedEffect[]): void {
  const names = effects.map(({ name }) => name);
  const faults = effects.flatMap((effect, index) => [
    ...(names.indexOf(effect.name) < index ? [`effect "${effect.name}": declared twice`] : []),
    ...faultsOf(effect).map((fault) => `effect "${effect.name}": ${fault}`),
  ]);
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}

function faultsOf({ name, declaration, result, rememberMs }: GuardedEffect): string[] {
  const parts = [
    nameSchema.safeParse(name),
    effectDeclarationSchema.safeParse(declaration),
    rememberSchema.safeParse(rememberMs),
  ];
  const faults = parts.flatMap(
    ({ error }) => error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [],
  );
  if (result === undefined) return faults;
  const fault = isSchema(result) ? schemaFault(result) : noSchema(result);
  return fault === undefined ? faults : [...faults, `result: ${fault}`];
}
