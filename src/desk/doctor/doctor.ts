import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { features } from "../../features/index.ts";
import { storesOfGuard } from "../../guard/places.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { type Finding, finding, findings, ok } from "../../platform/errors/finding.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
import { readKeysInUse } from "../../platform/redis/encryption/keys-in-use.ts";
import { findReadableQueues } from "../overview/open-queues.ts";
import { diagnoseActs } from "./doctor-acts.ts";
import { diagnoseQueuesOfTypes, diagnoseSettings } from "./doctor-application.ts";
import { diagnoseHints } from "./doctor-hints.ts";
import { diagnoseOutbox } from "./doctor-outbox.ts";
import { diagnosePartitions } from "./doctor-partitions.ts";
import { diagnoseGuard, diagnoseLosses, diagnoseLostActs, diagnoseQueue } from "./doctor-queue.ts";
import { diagnoseMasters, diagnoseRedis } from "./doctor-redis.ts";
import { diagnoseReplicas } from "./doctor-replicas.ts";
import { diagnoseSchedules } from "./doctor-schedules.ts";
import { diagnoseSlots } from "./doctor-slots.ts";
import { diagnoseTopology } from "./doctor-topology.ts";

/** Checks whether Redis keeps what it acknowledges, and has what it acknowledged: what readiness depends on. */
export async function diagnoseStore(
  { queues }: Pick<Application, "queues">,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding[]> {
  const { client } = stores;
  const readable = await findReadableQueues(stores, queues);
  const checks = [
    diagnoseSlots(stores, queues),
    diagnoseRedis(client, settings),
    diagnoseReplicas(client, settings),
    diagnoseLosses(stores, readable),
    diagnoseKeys(client, settings),
  ];
  return (await Promise.all(checks)).flat();
}

/** Checks what works on that Redis: its topology, queues, workers, schedules and acts. */
export async function diagnoseSystem(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding[]> {
  const system = { application, stores, settings };
  const queues = [...application.queues, INTERNAL_QUEUE];
  const readable = await findReadableQueues(stores, queues);
  const isOpen = readable.length < queues.length;
  // While a slot is open, nobody can read what is in it; that is a finding of its own.
  const unlessOpen = async (check: Promise<Finding | Finding[] | undefined>) =>
    isOpen ? await check.catch(() => undefined) : await check;
  // All are awaited at once: a check that failed before it was awaited would end the process.
  const checks = [
    diagnoseTopology(stores.client, settings.HOLDFAST_DURABILITY),
    diagnoseMasters(stores.client),
    diagnoseOutbox(stores, settings),
    ...[
      diagnoseLostActs(stores),
      diagnoseGuard(stores),
      diagnoseQueuesOfTypes(application, stores, settings.HOLDFAST_PREFIX),
      diagnoseSchedules(application, stores, settings),
      diagnosePartitions(application, stores),
      diagnoseActs(stores),
      ...features.map(async ({ findings: check }) => [...((await check?.(system)) ?? [])]),
      ...application.queues.map((queue) => diagnoseQueue(stores.partitionsOf([queue]), settings)),
      ...application.queues.map((queue) => diagnoseHints(stores.partitionsOf([queue]))),
      diagnoseHints(storesOfGuard(stores)),
    ].map(unlessOpen),
  ];
  return findings(...(await Promise.all(checks)));
}

/**
 * Checks everything that the promises depend on.
 *
 * @returns a finding for each check, the good ones included
 * @throws an error of Redis that keeps it from reading
 */
export async function diagnose(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding[]> {
  return [
    ...(await diagnoseStore(application, stores, settings)),
    ...(await diagnoseSystem(application, stores, settings)),
    ...diagnoseSettings(application, settings),
  ];
}

const KEYS = "encryption keys";

/** Checks whether all processes have the keys that are in use, and this configuration, too. */
async function diagnoseKeys(client: RedisConnection, settings: Settings): Promise<Finding> {
  const { encryptsWith, lacking, processes } = await readKeysInUse(client, settings);
  const found = encryptsWith.length === 0 ? "nothing is encrypted" : `in use: ${encryptsWith.join(", ")}`;
  if (lacking.length === 0)
    return ok(KEYS, `${found}; ${processes} ${processes === 1 ? "process" : "processes"}`);
  return finding(KEYS, "bad", `not here: ${lacking.join(", ")}`, {
    code: "ENCRYPTION_KEYS_DIFFER",
    reason: "a process without a key that others encrypt with does no work",
    remedy: "give every process all keys that are in use: HOLDFAST_ENCRYPTION_KEYS",
  });
}
