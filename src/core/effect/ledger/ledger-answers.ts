import type { HoldfastError } from "../../../platform/errors/holdfast-error.ts";

/** Whether an effect may run now. */
export type Reservation =
  /**
   * @param unconfirmed why Redis may lose it: then nothing may begin, and it must be released
   * @param fence grows with each reservation of the effect
   */
  | { readonly kind: "reserved"; readonly unconfirmed: HoldfastError | undefined; readonly fence: number }
  | { readonly kind: "done"; readonly result: string | null }
  /** @param times how often the job was deferred for it */
  | { readonly kind: "busy"; readonly ms: number; readonly times: number }
  /** @param fence the highest of its runs */
  | { readonly kind: "in-doubt"; readonly fence: number }
  /** @param key which has encrypted indexes of the ledger */
  | { readonly kind: "unreadable"; readonly key: string }
  | { readonly kind: "not-leased" }
  | { readonly kind: "cancelled" }
  /** The job has asked for effects before, and its ledger is gone. */
  | { readonly kind: "forgotten" };

export type Committed = "done" | "in-doubt" | "refused";
export type Released = "released" | "in-doubt" | "refused";
export type Doubted = "in-doubt" | "refused";

/** What earlier attempts of a job have left open. */
export type LeftOpen =
  | { readonly kind: "none" }
  | { readonly kind: "busy"; readonly effect: string; readonly ms: number; readonly times: number }
  | { readonly kind: "in-doubt"; readonly effect: string };
