import { once } from "node:events";
import { startScript } from "../../lib/processes.ts";
import type { JobType } from "./inside/contestant.ts";
import type { Latency } from "./row.ts";

/** An order to a driver process. */
export type Order =
  /** Submits for a while; with `batch`, that many jobs at once. */
  | { readonly task: "submit"; readonly inFlight: number; readonly seconds: number; readonly batch?: number }
  | { readonly task: "fill"; readonly count: number; readonly type?: JobType }
  | { readonly task: "status"; readonly id: string; readonly inFlight: number; readonly seconds: number }
  | { readonly task: "submit-one" };

export interface Driven {
  /** Finished operations; a batch is one. */
  readonly count: number;
  readonly milliseconds: number;
  readonly latency: Latency;
  /** When it began, on the machine's clock. */
  readonly at?: number;
}

/** A producer in its own process. */
export interface Driver {
  readonly pid: number | undefined;
  /** @throws Error if an operation fails */
  drive(order: Order): Promise<Driven>;
  end(): Promise<void>;
}

/** @param module of the contestant, relative to `lab/bench/`, without extension */
export async function startDriver(module: string, url: string): Promise<Driver> {
  const { child, ended, end } = await startScript<unknown>("lib/inside/driver", [module], {
    REDIS_URL: url,
  });
  return {
    pid: child.pid,
    end,
    async drive(order) {
      child.send(order);
      const [answer] = (await Promise.race([once(child, "message"), ended])) as [Answer];
      if ("failed" in answer) throw new Error(answer.failed);
      return answer.driven;
    },
  };
}

type Answer = { readonly driven: Driven } | { readonly failed: string };
