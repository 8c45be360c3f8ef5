import type { Sample, Side } from "./row.ts";
import { type ConnectedRedis, withStore } from "./store.ts";

/** A side whose every sample has a store of its own, empty at first. */
export function freshSide(name: string, measure: (store: ConnectedRedis) => Promise<Sample>): Side {
  return {
    name,
    open: async () => ({ sample: () => withStore(measure), close: async () => {} }),
  };
}
