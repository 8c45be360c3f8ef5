/** What happened, and what should not have happened. */
export interface Tally {
  readonly counts: Record<Count, number>;
  /** The first faults, in words. */
  readonly faults: string[];
  add(count: Count): void;
  fault(what: string): void;
  readonly faultCount: number;
}

export const counted = {
  submitted: "jobs accepted",
  completed: "jobs completed",
  failed: "jobs failed, as they should",
  effects: "jobs with an effect",
  duplicates: "duplicates, answered with the first job",
  reused: "keys used again with other content, refused",
  invalid: "invalid submissions, refused",
  reads: "status reads",
  waits: "reads that wait (`Prefer: wait`)",
  streams: "event streams followed to the job's end",
  hungUp: "event streams closed early by the client",
  looks: "reads of overview, lists and failures",
  heldBack: "submissions skipped, because too many jobs were open",
} as const;
export type Count = keyof typeof counted;

const FAULTS_KEPT_MAX = 20;

export function createTally(): Tally {
  const counts = Object.fromEntries(Object.keys(counted).map((name) => [name, 0])) as Record<Count, number>;
  const faults: string[] = [];
  let faultCount = 0;
  return {
    counts,
    faults,
    add(count) {
      counts[count] += 1;
    },
    fault(what) {
      faultCount += 1;
      if (faults.length < FAULTS_KEPT_MAX) faults.push(what);
    },
    get faultCount() {
      return faultCount;
    },
  };
}
