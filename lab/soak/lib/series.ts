/** A sampled quantity, and how far it may grow in the second half. */
export interface Quantity {
  readonly name: string;
  readonly unit: string;
  /** Growth too small to matter, in the unit, as an alternative to the share of the level. */
  readonly slack: number;
}

/**
 * An idle role rarely collects garbage, so its heap may rise for a quarter of an hour without meaning. At 100 jobs a second this is
 * less than 200 bytes for each job of the judged half.
 */
const HEAP_SLACK_MB = 16;

/** Read from each role's `/metrics`, as an operator would. */
export const ofRoles = [
  {
    name: "resident memory",
    unit: "MB",
    metric: "process_resident_memory_bytes",
    scale: 2 ** 20,
    slack: HEAP_SLACK_MB,
  },
  {
    name: "heap in use",
    unit: "MB",
    metric: "nodejs_heap_size_used_bytes",
    scale: 2 ** 20,
    slack: HEAP_SLACK_MB,
  },
  { name: "open files and sockets", unit: "", metric: "process_open_fds", scale: 1, slack: 6 },
  {
    name: "event-loop lag, p99",
    unit: "ms",
    metric: "nodejs_eventloop_lag_p99_seconds",
    scale: 1e-3,
    slack: 25,
  },
] as const satisfies readonly (Quantity & { metric: string; scale: number })[];

/** Read from Redis's `INFO`. */
export const ofStore = [
  { name: "Redis: memory in use", unit: "MB", field: "used_memory", scale: 2 ** 20, slack: 4 },
  { name: "Redis: keys", unit: "", field: "keys", scale: 1, slack: 500 },
  { name: "Redis: connections", unit: "", field: "connected_clients", scale: 1, slack: 3 },
] as const satisfies readonly (Quantity & { field: string; scale: number })[];

export interface Point {
  /** Seconds since the load began. */
  readonly at: number;
  readonly value: number;
}

/** All values of one quantity of one process, in order of time. */
export interface Series {
  readonly quantity: Quantity;
  /** The process. */
  readonly owner: string;
  readonly points: readonly Point[];
}
