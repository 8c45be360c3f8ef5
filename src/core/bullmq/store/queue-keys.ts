/** The name under which BullMQ's own tools find a queue. The braces are Redis Cluster's hash tag: one queue, one slot. */
export function bullmqQueueName(queue: string): string {
  return `{${queue}}`;
}

export function queueKey(prefix: string, queue: string, name: string): string {
  return `${prefix}:${bullmqQueueName(queue)}:${name}`;
}

/** The names of all keys of one queue, BullMQ's and ours. */
export function queueKeys(prefix: string, queue: string) {
  const key = (name: string) => queueKey(prefix, queue, name);
  return {
    /** What all keys of the queue begin with. Scripts complete it. */
    start: key(""),
    job: (id: string) => key(id),
    /** Of a parent, as BullMQ has them. */
    children: (id: string) => ({
      dependencies: key(`${id}:dependencies`),
      processed: key(`${id}:processed`),
      failed: key(`${id}:failed`),
      unsuccessful: key(`${id}:unsuccessful`),
    }),
    jobLogs: (id: string) => key(`${id}:logs`),
    waiting: key("wait"),
    /** Parents, until their children have ended. */
    "waiting-children": key("waiting-children"),
    paused: key("paused"),
    prioritized: key("prioritized"),
    delayed: key("delayed"),
    active: key("active"),
    completed: key("completed"),
    failed: key("failed"),
    /** The jobs that are held, as held.lua says, before parents that wait for children. */
    held: key("waiting-children"),
    events: key("events"),
    meta: key("meta"),
    /** Holds which job has a deduplication key, as `keyHolder` reads it. */
    dedupKey: (dedupKey: string) => key(`de:${dedupKey}`),
    /** Of a feature, or of the desk, which gives it a name. */
    own: key,
    /** The effects of one deduplication key. */
    ledger: (dedupKey: string) => key(`ledger:${dedupKey}`),
    ledgerStart: key("ledger:"),
    /** Living jobs that use a ledger, as `<job id>/<deduplication key>`, scored by when the sweep looks at them next. */
    joinedJobs: key("ledgers"),
    /** Jobs that have just begun a ledger, the oldest first, as `<milliseconds>/<job id>/<deduplication key>`. */
    newLedgers: key("ledgers:new"),
    /** Effects in doubt, scored by since when. */
    doubts: key("doubts"),
    /** Who did what to a job or a doubt, when, and why. */
    audit: key("audit"),
    /** Workers, scored by when they were seen. */
    workersSeen: key("workers:seen"),
    /** Redis's count of changes and the id it counts under, by which data loss is noticed. */
    epoch: key("epoch"),
    /** A copy of the secret that keys content fingerprints. */
    fingerprintSecret: key("fingerprint-secret"),
    jobsSinceMemoryCheck: key("jobs-since-memory-check"),
    /** Workers subscribe here for cancellations. */
    cancelChannel: key("cancel"),
  };
}

export type QueueKeys = Readonly<ReturnType<typeof queueKeys>>;
