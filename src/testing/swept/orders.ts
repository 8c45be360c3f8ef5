import type { Environment } from "../../platform/config/settings.ts";

/** The last boundary of an attempt. */
export const END = "before the end";

/** What the parent of a crash sweep asks of a process: to run one job, and perhaps to be killed on the way. */
export interface SweepOrder {
  /** Holdfast's variables: an installation with one job in it. */
  readonly env: Environment;
  readonly jobId: string;
  /** At which boundary; undefined: nowhere. */
  readonly killAt: string | undefined;
  readonly traceFile: string;
}

/** What the process answers: when its application is loaded, when its worker is ready, and why it cannot go on. */
export type SweepAnswer =
  | { readonly kind: "loaded" | "ready" }
  | { readonly kind: "failed"; readonly why: string };

/** A line of a trace. `effect` has `/index` where the effect has one. */
export type TraceLine =
  | { readonly kind: "boundary"; readonly at: string }
  /** An effect's function was called. */
  | { readonly kind: "effect"; readonly effect: string }
  /** It read its key. */
  | { readonly kind: "key"; readonly effect: string }
  | {
      readonly kind: "call";
      readonly call: OutsideCall;
      /** The effect that it belongs to; absent outside of all effects. */
      readonly effect?: string | undefined;
    };

/** Something that a handler did to the outside world. */
export interface OutsideCall {
  readonly kind: "connection" | "request" | "reported";
  /** @example "POST http://127.0.0.1:4000/charges" @example "connection to 127.0.0.1:1025" */
  readonly text: string;
  /** `host:port` or a socket's path, where it is known. */
  readonly address?: string | undefined;
  /** By its HTTP method, it only reads. */
  readonly isRead?: boolean | undefined;
}
