import type { HoldfastError } from "../errors/holdfast-error.ts";
import type { Script } from "./script.ts";

/** The reply of a script that writes. */
export interface Written {
  readonly reply: unknown;
  /** Why what it wrote is not as durable as configured; undefined where it is. */
  readonly unconfirmed: HoldfastError | undefined;
}

/** Runs a script that writes, and waits for the confirmation that the replicas have it. */
export type Writer = (
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<Written>;
