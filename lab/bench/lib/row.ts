import type { Spent } from "./spending.ts";

/** One row of the comparison: a measure, two sides, and a goal. */
export interface Row {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** Of the values. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** The goal for the ratio of Holdfast's value to the opponent's; without it the row is for orientation. */
  readonly reach?: number;
  readonly sides: { readonly holdfast: Side; readonly opponent: Side };
  /** The sample's measure that the row compares. */
  readonly measure: string;
  /** What a reader must know to read the numbers right. */
  readonly note?: string;
  /** If fewer rounds than usual are enough. */
  readonly rounds?: number;
  /** Left out of the short form unless named. */
  readonly isExtra?: true;
  /** A point of the growth chart, where both sides are Holdfast: the operation, and the number of waiting jobs. */
  readonly growth?: { readonly what: string; readonly depth: number };
}

/** One side of a row. Rows that share a side share its samples. */
export interface Side {
  readonly name: string;
  /** Prepares what all rounds use. */
  open(): Promise<Subject>;
}

export interface Subject {
  /** Measures once, on new processes. */
  sample(): Promise<Sample>;
  close(): Promise<void>;
}

export interface Sample {
  /** By name, in the units of the rows that use them. */
  readonly measures: Readonly<Record<string, number>>;
  /** Of the single operations. */
  readonly latency?: Latency;
  /** Where the time went. */
  readonly spent?: Spent;
  /** Reasons why the sample is worthless, such as errors or wrong counts. */
  readonly invalid: readonly string[];
}

/** Milliseconds within which that share of the operations finished. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** How much to measure. */
export interface Form {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** Of each timed measurement, and of the warm-up before it. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
}
