/** One thing that is sampled through the whole run, and how far it may grow in the second half. */
export interface Quantity {
  readonly name: string;
  readonly unit: string;
  /** Growth that means nothing, in the unit, beside the share of the level that always is allowed. */
  readonly slack: number;
}

/**
 * A role that has little to do collects its garbage seldom: its heap may rise for a quarter of an hour and mean nothing. At 100
 * jobs a second this is still less than 200 bytes for each job of the half that is judged.
 */
const HEAP_SLACK_MB = 16;

/** Read from each role's own `/metrics`, as an operator would. */
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

/** Read from the store's `INFO`. */
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
  /** Whose it is. */
  readonly owner: string;
  readonly points: readonly Point[];
}
