import type { Spent } from "./spending.ts";

/** One line of the comparison: what is measured, on which two sides, and what ratio is to be reached. */
export interface Row {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** Of the values. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** The ratio of Holdfast's value to the opponent's that is to be reached; without it the row is for orientation. */
  readonly reach?: number;
  readonly sides: { readonly holdfast: Side; readonly opponent: Side };
  /** Which of a sample's measures the row compares. */
  readonly measure: string;
  /** What a reader needs to know to read the numbers right. */
  readonly note?: string;
  /** Where fewer rounds tell as much as the form's. */
  readonly rounds?: number;
  /** Left out of the short form, unless it is asked for. */
  readonly isExtra?: true;
  /** A point of the chart of growth, where both sides are Holdfast: what is done at how many waiting jobs. */
  readonly growth?: { readonly what: string; readonly depth: number };
}

/** What is measured on one side. Rows that share a side share its samples. */
export interface Side {
  readonly name: string;
  /** Makes ready what all rounds use. */
  open(): Promise<Subject>;
}

export interface Subject {
  /** Measures once, on processes of its own. */
  sample(): Promise<Sample>;
  close(): Promise<void>;
}

export interface Sample {
  /** By name, in the units of the rows that use them. */
  readonly measures: Readonly<Record<string, number>>;
  /** Of the single operations behind a throughput. */
  readonly latency?: Latency;
  /** Where the time behind a throughput went. */
  readonly spent?: Spent;
  /** What makes the sample worthless, e.g. errors or wrong counts; empty when it is good. */
  readonly invalid: readonly string[];
}

/** Milliseconds within which that share of the operations was done. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** How much is measured. */
export interface Form {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** Of each timed measurement, and of the warm-up before it. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
}
