import { once } from "node:events";
import type { JobType } from "./inside/contestant.ts";
import { startScript } from "./processes.ts";
import type { Latency } from "./row.ts";

/** What a driver process can be told to do. */
export type Order =
  /** Submits for a while; with `batch`, so many jobs at once each time. */
  | { readonly task: "submit"; readonly inFlight: number; readonly seconds: number; readonly batch?: number }
  | { readonly task: "fill"; readonly count: number; readonly type?: JobType }
  | { readonly task: "status"; readonly id: string; readonly inFlight: number; readonly seconds: number }
  | { readonly task: "submit-one" };

export interface Driven {
  /** Operations that were done; each batch is one. */
  readonly count: number;
  readonly milliseconds: number;
  readonly latency: Latency;
  /** When it began, on the machine's clock. */
  readonly at?: number;
}

/** A producer in a process of its own. */
export interface Driver {
  /** @throws Error when one of the operations fails */
  drive(order: Order): Promise<Driven>;
  end(): Promise<void>;
}

/** @param module of the contestant, seen from `bench/`, without its ending */
export async function startDriver(module: string, url: string): Promise<Driver> {
  const { child, ended, end } = await startScript<unknown>("lib/inside/driver", [module], {
    REDIS_URL: url,
  });
  return {
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
