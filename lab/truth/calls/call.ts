import type { Classify } from "../../../src/evidence/classifier.ts";
import type { Ask } from "../faults/fault.ts";

/** Whom a library calls, and how long it may wait. */
export interface Target {
  readonly protocol: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** Milliseconds for the library's own time-out. */
  readonly timeoutMs: number;
  /** What the effect passes on as its signal, if anything. */
  readonly signal: AbortSignal | undefined;
  /** What downstream is asked, where a fault needs that. @default one write */
  readonly ask: Ask | undefined;
  /** The effect's key. */
  readonly key: string;
}

/** Calls downstream once. @returns the id that downstream answers */
export type Call = (target: Target) => Promise<unknown>;

/** How one library is used. Each module of `calls/` exports one or more of them. */
export interface Calls {
  /** As a new user writes it. */
  readonly asIs: Call;
  /** As its page in the docs says: no repeats of its own, the key passed on, an error that a classifier recognises. */
  readonly asDocumented: Call;
  /** Opens a connection that later calls use, before the effect begins. @default it keeps none */
  readonly warmUp?: (target: Target, isDocumented: boolean) => Promise<unknown>;
  /** The classifier that its page in the docs names. @default none */
  readonly classify?: Classify | undefined;
}

export function urlOf({ protocol, host, port }: Target): string {
  return `${protocol}://${host}:${port}`;
}

/** What each library sends, where it may choose. */
export const order = { name: "coffee", cents: 250 };
