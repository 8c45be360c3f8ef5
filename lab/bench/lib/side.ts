import type { Sample, Side } from "./row.ts";
import { type ConnectedRedis, withStore } from "./store.ts";

/** A side with a new, empty Redis for each sample. */
export function freshSide(name: string, measure: (store: ConnectedRedis) => Promise<Sample>): Side {
  return {
    name,
    open: async () => ({ sample: () => withStore(measure), close: async () => {} }),
  };
}
