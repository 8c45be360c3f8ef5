import { RedisConnection, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import { startConsumer } from "../../../src/core/bullmq/claim/job-consumer.ts";
import { Leases } from "../../../src/core/bullmq/claim/lease.ts";
import { Quiet } from "../../../src/core/bullmq/claim/quiet.ts";
import { Slots } from "../../../src/core/bullmq/claim/slots.ts";
import { cancelJob } from "../../../src/core/bullmq/end/cancel-job.ts";
import type { ConnectedQueues } from "../../../src/core/bullmq/store/connect-queues.ts";
import { Layouts } from "../../../src/core/bullmq/store/partitions.ts";
import {
  openWritableQueueStores,
  type QueueStores,
  type WritableQueueStore,
} from "../../../src/core/bullmq/store/queue-store.ts";
import { openEffects } from "../../../src/core/effect/effects.ts";
import {
  doubtUnreported,
  Ledger,
  openQueueLedgers,
  type QueueLedgers,
} from "../../../src/core/effect/ledger/ledger.ts";
import { createEvents } from "../../../src/core/events.ts";
import type { ConsumedPartition } from "../../../src/core/feature.ts";
import type { Application } from "../../../src/core/job/application.ts";
import type { JobHandler } from "../../../src/core/job/contract.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import type { EffectCall, EffectDeclaration } from "../../../src/core/job/effect.ts";
import { watchCancellations } from "../../../src/core/life/cancellations.ts";
import { startExpirySweep } from "../../../src/core/life/expiry-sweep.ts";
import { startLedgerSweep } from "../../../src/core/life/ledger-sweep.ts";
import { type AttemptTools, runAttempt } from "../../../src/core/run/run-attempt.ts";
import { openSubmitPath, type SubmitPath } from "../../../src/core/submit/submit-path.ts";
import { createSubmitter } from "../../../src/core/submit/submitter.ts";
import { retryJob } from "../../../src/desk/jobs/retry-job.ts";
import { nameCall } from "../../../src/guard/call.ts";
import type { GuardedEffect } from "../../../src/guard/guard.ts";
import { GuardLedgers } from "../../../src/guard/guarded-ledger.ts";
import { placeOfKey, sweepPlace } from "../../../src/guard/places.ts";
import { runCall } from "../../../src/guard/run-call.ts";
import { defineConfig, defineJob, NotDoneError, PermanentError } from "../../../src/index.ts";
import { readSettings, type Settings } from "../../../src/platform/config/settings.ts";
import { HoldfastError } from "../../../src/platform/errors/holdfast-error.ts";
import type { Logger } from "../../../src/platform/lib/logger.ts";
import { watchUnhandled } from "../../../src/platform/lib/stray-rejections.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { createEpoch, epochComparison } from "../../../src/platform/redis/fitness/epoch.ts";
import { openWriters } from "../../../src/platform/redis/writers.ts";
import { mutation } from "../mutants/mutation.ts";
import { Outside } from "./outside.ts";
import type { Scenario } from "./run.ts";
import { type Actor, type Timer, world } from "./world.ts";

export const LOCK_MS = 12_000;
export const EFFECT_MS = 12_000;
const POLL_MS = 1_000;

const prefix = "explore";
const KEY = "key-1";
const TYPE = "job";

/** Where Redis has what a scenario is about. */
export interface Names {
  readonly dedupKey: string;
  /** Of the names of its queue's keys. */
  readonly start: string;
  readonly ledger: string;
}

/** @param effect that a guard runs, without a job */
function namesOf(effect: string | undefined): Names {
  const dedupKey = dedupKeyOf(effect === undefined ? TYPE : `guard.${effect}`, KEY);
  const start = `${prefix}:{${effect === undefined ? "default" : placeOfKey(dedupKey)}}:`;
  return { dedupKey, start, ledger: `${start}ledger:${dedupKey}` };
}

/** The job of a scenario, or its effect without a job. */
export interface JobUnderTest {
  readonly effects: Readonly<Record<string, EffectDeclaration>>;
  /** Whether only the first attempt asks for its effects, as where a deploy has removed them. */
  readonly isForgetful?: boolean;
  /** Whether the first attempt that has done its effects fails for good all the same. */
  readonly failsOnce?: boolean;
  /** Whether its handler goes on without an effect that has failed, unless it surely did not happen. */
  readonly swallows?: boolean;
  /**
   * How its handler calls its effects: one of them twice at once; none waited for; or each behind the other, and none waited for, so that
   * some are called when the attempt has ended. @default waits for each
   */
  readonly calls?: "twice" | "unawaited" | "chained";
  /** Whether a guard runs its one effect. */
  readonly isGuarded?: boolean;
  /** Whether somebody may cancel it. */
  readonly mayBeCancelled?: boolean;
  /** Whether it is submitted before anything else happens. @default true */
  readonly isSubmitted?: boolean;
  /** How long ended jobs' effects are remembered. @default longer than an order lasts */
  readonly retentionMs?: number;
  /** How long a failed attempt waits for the next one. @default 300 */
  readonly retryDelayMs?: number;
  /** Whether Redis may come back without its last write, as its configuration allows. */
  readonly mayLoseWrites?: boolean;
  /** @default each effect after the other */
  readonly atOnce?: boolean;
}

const silent = Object.fromEntries(
  ["debug", "info", "warn", "error", "fatal"].map((level) => [level, () => {}]),
);
const log = { ...silent, child: () => log } as unknown as Logger;

// Each process looks whether its connection has BullMQ's scripts, which takes longer than a step. It has.
const { loadCommands } = RedisConnection.prototype as unknown as { loadCommands(version: string): void };
Object.assign(RedisConnection.prototype, {
  loadCommands(this: { readonly _client: object }, version: string) {
    if (`moveToActive:${version}` in this._client) return;
    loadCommands.call(this, version);
  },
});

// The explorer calls what BullMQ's loop would call, one call at a time.
const workers: Worker[] = [];
Worker.prototype.run = async function run(this: Worker) {
  workers.push(this);
};

/** What all processes of a scenario share. */
interface Parts {
  readonly job: JobUnderTest;
  readonly settings: Settings;
  readonly application: Application;
  readonly handler: JobHandler;
  readonly outside: Outside;
  readonly path: SubmitPath;
}

/** The application of a scenario, and its processes. */
export class Machine {
  readonly has: Parts;
  readonly names: Names;

  constructor(has: Parts) {
    const [effect = ""] = Object.keys(has.job.effects);
    this.names = namesOf(has.job.isGuarded === true ? effect : undefined);
    this.has = has;
  }

  /** A worker's process, from its start on. */
  async startWorker(actor: Actor, client: Redis, does: readonly Duty[]): Promise<Worker> {
    const { settings, job, handler, path } = this.has;
    let ledgers: QueueLedgers | undefined;
    const { store } = await this.connect(client, async () => ledgers && (await doubtUnreported(ledgers)));
    const own = openQueueLedgers(store, actor.name, settings.HOLDFAST_RETENTION_MS);
    ledgers = own;
    const handlers = new Map([[TYPE, handler]]);
    const events = createEvents();
    const partition: ConsumedPartition = {
      ...{ store, settings, log, handlers, clock: rightClock, workerName: actor.name },
      slots: new Slots(1),
      quiet: new Quiet(),
      leases: new Leases(LOCK_MS),
      keysInUse: { fault: () => undefined, assertFit() {}, onChange() {}, stop: async () => {} },
      submitter: path.submitter,
      isStopping: () => false,
      hasRunsLeft: () => own.runsLeft.size > 0,
    };
    const tools = { handlers, log, events, now: rightClock.now, parts: [] };
    // More requests at each renewal, so only where there is something to find.
    const parts = job.mayBeCancelled === true ? [watchCancellations(partition)] : [];
    startConsumer(partition, parts, (job) => {
      const ledger = () => new Ledger(own, dedupKeyOf(job.type, job.envelope.key), () => undefined);
      const open: AttemptTools["openEffects"] = (_job, { effects }, attempt) =>
        openEffects(effects, () => ({ job, ledger: ledger(), ...attempt, events }), job.delivery);
      return runAttempt({ ...tools, openEffects: open }, job);
    });
    if (does.includes("sweep")) startSweeps(partition);
    return await readyWorker(actor, does);
  }

  /** What a process has once it is connected. */
  async connect(client: Redis, onLoss = async () => {}): Promise<Connected> {
    const { start } = this.names;
    const durability = this.has.settings.HOLDFAST_DURABILITY;
    const { write } = await openWriters(client, durability);
    const epoch = createEpoch({
      ...{ durability, write, onLoss, key: `${start}epoch`, remembered: undefined, countOf: () => 0 },
      compare: epochComparison(client, durability),
      layout: { known: () => "", first: "", agree: async (found) => found },
    });
    // While a loss is not accepted, nothing begins.
    await epoch.check().catch(() => {});
    const epochs = { layouts: new Layouts(), of: () => epoch, onLoss() {} };
    const stores = openWritableQueueStores({ client, codec: createCodec([]) }, prefix, epochs, fitness);
    return { stores, store: stores.of(start.slice(prefix.length + 2, -2)), epochs };
  }

  /** A process that asks something of Holdfast. @returns asks it, and says what it was told: the code of an error */
  async openCaller(what: Ask, client: Redis, name: string): Promise<(id: string) => Promise<string>> {
    const connected = await this.connect(client);
    const { store } = connected;
    const asks: Readonly<Record<Ask, () => MaybeAsync<(id: string) => Promise<string>>>> = {
      cancel: () => (id) => cancelJob(store, id, { by: "op" }),
      retry: () => (id) => retryJob(store, id, { act: { by: "op" } }),
      guard: () => this.#guardOf(store, name),
      "guard-other": () => this.#guardOf(store, name, { content: '"other"' }),
      "guard-wait": () => this.#guardOf(store, name, { waitMs: WAIT_MS }),
      "guard-again": () => {
        const ask = this.#guardOf(store, name);
        return async () => [await ask(), await ask(), await ask()].at(-1) ?? "";
      },
      submit: () => this.#submitterOf(connected, {}),
      "submit-other": () => this.#submitterOf(connected, { other: true }),
    };
    const ask = await asks[what]();
    return (id) => ask(id).catch(codeOf);
  }

  async #submitterOf({ stores, epochs }: Connected, payload: object): Promise<() => Promise<string>> {
    const { path, application, handler, settings } = this.has;
    const own = { client: stores.client, stores, epochs, fitness, clock: rightClock };
    const queues = { ...path, ...own, keysInUse: { assertFit() {} } } as unknown as ConnectedQueues;
    const submitter = createSubmitter(application, queues, settings, createEvents(), []);
    await submitter.steps.prepare(handler.job);
    const submit = async () => (await submitter.submit({ type: TYPE, payload, idempotencyKey: KEY })).id;
    // The same key is safe to send again.
    return () =>
      submit().catch((error) => (codeOf(error) === "STORE_UNAVAILABLE" ? submit() : Promise.reject(error)));
  }

  #guardOf(
    store: WritableQueueStore,
    name: string,
    { content = "null", waitMs = 0 } = {},
  ): () => Promise<string> {
    const { outside, settings, job } = this.has;
    const rememberMs = settings.HOLDFAST_RETENTION_MS;
    const [[effect = "", declaration] = []] = Object.entries(job.effects);
    const guarded = { name: effect, declaration, result: undefined, rememberMs: undefined } as GuardedEffect;
    const secret = { known: () => "secret", get: async () => "secret" };
    const ledgers = new GuardLedgers(store, name, settings, secret);
    const tools = {
      ledgersOf: () => ledgers,
      rememberMs,
      events: createEvents(),
      log,
      isClosed: () => false,
      waitFor: () => {},
    };
    const options = probing(outside, effect, declaration);
    const named = nameCall(effect, KEY);
    const call = { named, content, waitMs, by: null, about: null, options };
    return async () => {
      const result = await runCall(tools, guarded, call, ({ fence }) => outside.act(effect, fence));
      return JSON.stringify({ done: [receiptIn(result)] });
    };
  }

  /** As each process with a guard does, and each worker. */
  async startSweep(client: Redis): Promise<void> {
    const { job, settings } = this.has;
    const { store } = await this.connect(client);
    if (job.isGuarded === true) setInterval(() => void sweepPlace(store).catch(() => {}), GUARD_SWEEP_MS);
    else startSweeps({ store, settings, log });
  }

  /** By the connection with which it was opened, which it closes. */
  async submit(): Promise<string> {
    const { submitter, stop } = this.has.path;
    const { id } = await submitter.submit({ type: TYPE, payload: {}, idempotencyKey: KEY });
    await stop();
    return id;
  }
}

type MaybeAsync<T> = T | Promise<T>;

interface Connected {
  readonly stores: QueueStores<WritableQueueStore>;
  readonly store: WritableQueueStore;
  readonly epochs: object;
}

/** What somebody asks of Holdfast. */
export type Ask =
  | "submit"
  | "submit-other"
  | "cancel"
  | "retry"
  | "guard"
  | "guard-other"
  | "guard-wait"
  | "guard-again";

function codeOf(error: unknown): string {
  return error instanceof HoldfastError ? error.code : String(error);
}

const GUARD_SWEEP_MS = 5_000;
/** Longer than a reservation lasts. */
const WAIT_MS = 60_000;

function startSweeps(partition: Parameters<typeof startLedgerSweep>[0]): void {
  startLedgerSweep(partition);
  startExpirySweep(partition);
}

/** What a process does. Looking for stalled jobs and sweeping touch nothing but Redis, so one process does it for all. */
export type Duty = "work" | "look" | "sweep";

/** Timers by their milliseconds. */
const timers = { renewal: LOCK_MS / 4, stalled: Math.ceil(LOCK_MS / 3) };

/** The worker that was started last, once it is ready for what it does. */
async function readyWorker(actor: Actor, does: readonly Duty[]): Promise<Worker> {
  const worker = workers.pop();
  if (worker === undefined) throw new Error("no worker");
  await worker.waitUntilReady();
  const locks: { start(): void; getActiveJobCount(): number } = Reflect.get(worker, "lockManager");
  if (does.includes("work")) locks.start();
  if (!does.includes("look"))
    for (const timer of actor.timers) if (timer.ms === timers.stalled) actor.timers.delete(timer);
  actor.isIdle = ({ ms }) => ms === timers.renewal && locks.getActiveJobCount() === 0;
  return worker;
}

export function isPoll({ ms, everyMs }: Timer): boolean {
  return ms === POLL_MS && everyMs === undefined;
}

/** For a story. */
export function timerName({ ms }: Timer): string {
  if (ms === timers.renewal) return "its lock is due for renewal";
  if (ms === timers.stalled) return "it looks for stalled jobs";
  if (ms === POLL_MS) return "it asks for a job";
  return ms === EFFECT_MS ? "its effect's time is up" : `its timer of ${ms} ms fires`;
}

/** One attempt after the other, as BullMQ's loop does. A worker's slot can have one token for several attempts at a job. */
export async function work(worker: Worker, actor: Actor, token = actor.name): Promise<void> {
  for (;;) {
    const job = await worker.getNextJob(token, { block: false }).catch(() => undefined);
    if (job) await worker.processJob(job, token, () => false);
    else {
      actor.forget();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

const fitness = { confirm: () => undefined };

const rightClock = {
  now: () => world.now,
  offsetMs: () => 0,
  isRight: () => true,
  assertRight() {},
  onMeasure() {},
  look() {},
  stop: async () => {},
};

/** Where an effect's policy is to ask: how. */
function probing(outside: Outside, effect: string, declaration: EffectDeclaration | undefined) {
  const probe = ({ fence }: EffectCall) => outside.ask(effect, fence);
  return declaration?.inDoubt === "probe" ? { probe } : {};
}

function receiptIn(result: unknown): string | null {
  return (result as { receipt?: string } | undefined)?.receipt ?? null;
}

/** Opens the real submit path; its connection is real, too. */
export async function openMachine(url: string, { job, remembersKeys }: Scenario): Promise<Machine> {
  const outside = new Outside(remembersKeys);
  if (job.calls === "unawaited") watchUnhandled(() => void mutation.escaped.pop());
  const settings = readSettings({
    REDIS_URL: url,
    HOLDFAST_PREFIX: prefix,
    HOLDFAST_LOG_LEVEL: "silent",
    HOLDFAST_LOCK_MS: String(LOCK_MS),
    ...(job.mayLoseWrites === true && { HOLDFAST_DURABILITY: "memory" }),
    ...(job.retentionMs !== undefined && { HOLDFAST_RETENTION_MS: String(job.retentionMs) }),
  });
  const handler = handlerOf(job, outside);
  const application = defineConfig({ jobs: [handler.job], handlers: async () => [handler] });
  const path = await openSubmitPath(application, settings, []);
  return new Machine({ job, settings, application, handler, outside, path });
}

/** Asks for its effects, one after the other or all at once, and returns their receipts. */
function handlerOf(job: JobUnderTest, outside: Outside): JobHandler {
  const { effects } = job;
  const contract = defineJob({
    type: TYPE,
    payload: z.strictObject({ other: z.boolean().optional() }),
    result: z.strictObject({ done: z.array(z.string().nullable()) }),
    retry: { attempts: 8, backoff: { kind: "fixed", delayMs: job.retryDelayMs ?? 300 } },
    timeoutMs: 60_000,
    effects,
  });
  const names = Object.keys(effects);
  return contract.handler(async ({ effect }) => {
    if (job.isForgetful === true && outside.hasBegun) return { done: [] };
    outside.hasBegun = job.isForgetful === true;
    const run = (name: string) => {
      const options = probing(outside, name, effects[name]) as never;
      const acted = effect(name as never, ({ fence }) => outside.act(name, fence), options);
      const receipt = acted.then(receiptIn);
      if (job.swallows !== true) return receipt;
      return receipt.catch((error) => (error instanceof NotDoneError ? Promise.reject(error) : null));
    };
    const done = await callAll(names, run, job);
    if (job.failsOnce === true && !outside.hasBegun) {
      outside.hasBegun = true;
      throw new PermanentError("for good");
    }
    return { done };
  }) as JobHandler;
}

type Receipt = string | null;

/** @returns what the effects returned, as far as it waits for them */
async function callAll(
  names: readonly string[],
  run: (name: string) => Promise<Receipt>,
  { calls, atOnce = false }: JobUnderTest,
): Promise<Receipt[]> {
  if (calls === "unawaited") for (const name of names) void run(name);
  if (calls === "chained") void inTurn(names, run).catch(() => {});
  if (calls === "unawaited" || calls === "chained") return [];
  const called = calls === "twice" ? [...names, ...names] : names;
  return atOnce ? [...new Set(await Promise.all(called.map(run)))] : await inTurn(called, run);
}

async function inTurn(names: readonly string[], run: (name: string) => Promise<Receipt>): Promise<Receipt[]> {
  const done: Receipt[] = [];
  for (const name of names) done.push(await run(name));
  return done;
}
