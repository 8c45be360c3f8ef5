import type { Durability } from "../config/variables.ts";
import type { StoreClient } from "./client.ts";
import { storeUnavailable } from "./fault.ts";

const REPLICATION_DEADLINE_MS = 1_000;

/**
 * Waits until the connection's writes so far are on the configured number of replicas.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when they are not within a second
 */
export async function confirmReplicas(client: StoreClient, durability: Durability): Promise<void> {
  if (durability.level !== "replica") return;
  const reached = Number(await client.call("WAIT", durability.replicas, REPLICATION_DEADLINE_MS));
  if (reached < durability.replicas) throw storeUnavailable();
}
