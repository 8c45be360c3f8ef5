/** How a job came in, or an attempt ended. Each attempt counts once. */
export const historyOutcomes = [
  "submitted",
  "completed",
  "retried",
  "failed",
  "inDoubt",
  "expired",
  "cancelled",
  "released",
  "deferred",
] as const;
export type HistoryOutcome = (typeof historyOutcomes)[number];

/** In stored text. A letter never changes its meaning: workers of two versions write to the same minutes. */
const letters: Readonly<Record<HistoryOutcome, string>> = {
  submitted: "n",
  completed: "c",
  retried: "r",
  failed: "f",
  inDoubt: "d",
  expired: "e",
  cancelled: "x",
  released: "l",
  deferred: "z",
};
const outcomeOf = new Map(historyOutcomes.map((outcome) => [letters[outcome], outcome]));

/** Bucket 0 is below 1 ms; each other one reaches to √2 times the one before, the last from 24 days on. */
const BUCKETS = 64;

/** @param ms can be negative where clocks differ */
function bucketOf(ms: number): number {
  return ms < 1 ? 0 : Math.min(BUCKETS - 1, 1 + Math.floor(2 * Math.log2(ms)));
}

function lowestOf(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** ((bucket - 1) / 2);
}

/** How often a duration fell into each bucket. */
export class Durations {
  // Declared: TypeScript before 5.7 knows no `Float64Array<ArrayBuffer>`, which it would infer.
  readonly counts: Float64Array = new Float64Array(BUCKETS);

  add(ms: number): void {
    const bucket = bucketOf(ms);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }

  addAll({ counts }: Durations): void {
    for (const [bucket, count] of counts.entries())
      if (count > 0) this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * Estimates a percentile: at most a factor of √2 off, because a bucket is that wide.
   *
   * @param share 0 to 1
   * @returns milliseconds; null without durations
   */
  percentile(share: number): number | null {
    const { total } = this;
    if (total === 0) return null;
    const rank = share * total;
    let below = 0;
    for (const [bucket, count] of this.counts.entries()) {
      if (count > 0 && below + count >= rank) return withinBucket(bucket, (rank - below) / count);
      below += count;
    }
    return lowestOf(BUCKETS - 1);
  }
}

function withinBucket(bucket: number, share: number): number {
  return bucket === 0 ? share : lowestOf(bucket) * 2 ** (share / 2);
}

/** An attempt that has ended. */
export interface EndedAttempt {
  readonly outcome: HistoryOutcome;
  /** From when the job could run to its first start, in milliseconds; undefined if it has run before. */
  readonly waitedMs: number | undefined;
  readonly runMs: number;
}

/** What happened to the jobs of one type in some time. */
export class HistoryCounts {
  readonly outcomes: Float64Array = new Float64Array(historyOutcomes.length);
  /** From when a job could first run to its first start. */
  readonly timeToStart = new Durations();
  readonly runTime = new Durations();

  add(outcome: HistoryOutcome, by = 1): void {
    const index = historyOutcomes.indexOf(outcome);
    this.outcomes[index] = (this.outcomes[index] ?? 0) + by;
  }

  addAttempt({ outcome, waitedMs, runMs }: EndedAttempt): void {
    this.add(outcome);
    if (waitedMs !== undefined) this.timeToStart.add(waitedMs);
    this.runTime.add(runMs);
  }

  of(outcome: HistoryOutcome): number {
    return this.outcomes[historyOutcomes.indexOf(outcome)] ?? 0;
  }

  addAll(other: HistoryCounts): void {
    for (const outcome of historyOutcomes) this.add(outcome, other.of(outcome));
    this.timeToStart.addAll(other.timeToStart);
    this.runTime.addAll(other.runTime);
  }

  /** As it is stored: `c=12,s4=10,t7=12`. What is 0 is left out. */
  toString(): string {
    const parts = historyOutcomes.map((outcome) => [letters[outcome], this.of(outcome)] as const);
    const starts = [...this.timeToStart.counts].map((count, bucket) => [`s${bucket}`, count] as const);
    const runs = [...this.runTime.counts].map((count, bucket) => [`t${bucket}`, count] as const);
    return [...parts, ...starts, ...runs]
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name}=${count}`)
      .join(",");
  }

  /** Adds stored counts. What a later version may have added is left out. */
  addText(text: string): void {
    for (const part of text.split(",")) {
      const equals = part.indexOf("=");
      const count = Number(part.slice(equals + 1));
      if (equals > 0 && Number.isFinite(count)) this.#addPart(part.slice(0, equals), count);
    }
  }

  #addPart(name: string, count: number): void {
    const outcome = outcomeOf.get(name);
    if (outcome !== undefined) {
      this.add(outcome, count);
      return;
    }
    const durations = { s: this.timeToStart, t: this.runTime }[name[0] ?? ""];
    const bucket = Number(name.slice(1));
    if (durations !== undefined && name.length > 1 && bucket < BUCKETS)
      durations.counts[bucket] = (durations.counts[bucket] ?? 0) + count;
  }
}
