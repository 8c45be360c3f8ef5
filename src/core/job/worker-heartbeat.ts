/** How often a worker says that it is alive. */
export const HEARTBEAT_MS = 5_000;
/** Three heartbeats missed: the worker is gone, or cannot reach Redis. */
export const SILENT_AFTER_MS = 3 * HEARTBEAT_MS;
/** Until then an operator can see that the worker went silent. */
export const FORGOTTEN_AFTER_MS = 10 * 60_000;
