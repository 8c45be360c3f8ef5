/**
 * The names of all keys in the store; nothing else spells one.
 *
 * BullMQ names the keys of a queue `<prefix>:<queue>:…`. The queue name stands in braces, Redis Cluster's hash tag, so
 * that everything of one queue, ours included, lies in one slot and queues spread over the cluster.
 */

/** The name under which BullMQ's own tools find a queue, together with the prefix. */
export function bullmqQueueName(queue: string): string {
  return `{${queue}}`;
}

/** A key of BullMQ's or ours that belongs to one queue. */
export function queueKey(prefix: string, queue: string, name: string): string {
  return `${prefix}:${bullmqQueueName(queue)}:${name}`;
}

/** The secret with which content fingerprints are keyed: one per store and prefix. */
export function fingerprintSecretKey(prefix: string): string {
  return `${prefix}:fingerprint-secret`;
}

/** Which queues each job type was submitted to. */
export function queueMemoryKey(prefix: string): string {
  return `${prefix}:queues`;
}

/** Which job has a claim, as far as one queue knows. BullMQ's key of a deduplication. */
export function dedupKeyName(prefix: string, queue: string, dedupKey: string): string {
  return queueKey(prefix, queue, `de:${dedupKey}`);
}

/** What is known of the effects of one claim, i.e. of one job type's idempotency key. */
export function ledgerKey(prefix: string, queue: string, dedupKey: string): string {
  return queueKey(prefix, queue, `ledger:${dedupKey}`);
}

/** The living jobs that use a ledger, as `<job id>/<claim>`, by when the sweep is to look at them next. */
export function joinedJobsKey(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "ledgers");
}

/** The effects of a queue that are in doubt, by since when. */
export function doubtsKey(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "doubts");
}

/** Who settled which doubt, when, and on what evidence. */
export function auditKey(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "audit");
}

/** What the workers of a queue tell of themselves. */
export function workersKey(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "workers");
}

/** When they were seen last. */
export function workersSeenKey(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "workers:seen");
}

/** What an API key has used up of one of its limits. All of one key's lie in one slot: they are counted together. */
export function allowanceKey(prefix: string, name: string, limit: string): string {
  return `${prefix}:used:{${name}}:${limit}`;
}

/** What the store has counted of a queue's changes, and under which id: shown to those who remember more. */
export function epochKey(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "epoch");
}

/** Where the workers of a queue hear which job to end. */
export function cancelChannel(prefix: string, queue: string): string {
  return queueKey(prefix, queue, "cancel");
}
