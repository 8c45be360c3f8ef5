import { fileURLToPath } from "node:url";
import type { JobHandler } from "../core/job/contract.ts";
import type { Environment } from "../platform/config/settings.ts";
import { SweepLane } from "./sweep-lane.ts";
import { SweepReport, type SweptBoundary } from "./sweep-report.ts";
import { openThrowAwayStore } from "./throw-away-store.ts";

export interface CrashSweepOptions {
  /**
   * The module whose default export is the application that has the handler, TypeScript or JavaScript. Each worker loads it in a process
   * of its own.
   *
   * @default "holdfast.config.ts" in the working directory
   * @example new URL("../holdfast.config.ts", import.meta.url)
   */
  readonly application?: string | URL;
  /** A running Redis. @default an embedded server in a temporary directory */
  readonly redisUrl?: string;
  /** Variables for the workers, Holdfast's and the handler's own. @default none, besides this process's */
  readonly env?: Environment;
  /**
   * Calls outside of effects that may happen twice, such as reads from a database. HTTP's reading methods always may.
   *
   * @default none
   * @example [/^connection to 127\.0\.0\.1:5432$/]
   */
  readonly mayRepeat?: readonly RegExp[];
  /** Milliseconds for the job at each boundary. @default 30_000 */
  readonly timeoutMs?: number;
}

/** More would compete for the machine's cores. */
const LANES = 3;
const TIMEOUT_MS = 30_000;

/**
 * Runs a job once for each boundary of its attempt: before and after the reserve of each effect, inside it, before and after its
 * commit, and before the end. At that boundary its worker is killed with SIGKILL, and another worker brings the job to its end.
 *
 * The workers are real, the store is thrown away, and the handler's outside world is the one that its variables name: give it a test
 * server. What the handler does must not depend on chance, since the boundaries are those of a first run without a crash.
 *
 * @param handler what the swept workers run
 * @param payload the same for each run; the idempotency key differs
 * @returns what became of each job, and which calls outside of effects happened twice
 * @throws Error if the job does not complete without a crash, or a boundary is not reached again
 * @example (await crashSweep(welcomeEmailHandler, payload, { env: { SMTP_URL: server.url } })).assertSafe();
 */
export async function crashSweep<PayloadIn, Result, EffectName extends string>(
  { job }: JobHandler<PayloadIn, Result, EffectName>,
  payload: NoInfer<PayloadIn>,
  options: CrashSweepOptions = {},
): Promise<SweepReport> {
  const { application = "holdfast.config.ts", env = {}, mayRepeat = [], timeoutMs = TIMEOUT_MS } = options;
  const store = await openThrowAwayStore(options.redisUrl);
  const lanes: SweepLane[] = [];
  try {
    const file = application instanceof URL ? fileURLToPath(application) : application;
    const swept = { job, payload, application: file, env, mayRepeat, timeoutMs, store };
    const openLane = () => {
      const lane = new SweepLane(swept);
      lanes.push(lane);
      return lane;
    };
    const { boundaries, ...deeds } = await openLane().rehearse();
    while (lanes.length < Math.min(LANES, boundaries.length)) openLane();
    return new SweepReport(job.type, await sweepAll(lanes, boundaries), deeds);
  } finally {
    await Promise.all(lanes.map((lane) => lane.stop()));
    await store.stop();
  }
}

/** Each lane goes on with the next boundary that none has begun. If one fails, the others are stopped first. */
async function sweepAll(
  lanes: readonly SweepLane[],
  boundaries: readonly string[],
): Promise<SweptBoundary[]> {
  const found: SweptBoundary[] = [];
  const remaining = [...boundaries.entries()];
  const hasMore = () => remaining.length > 0;
  const failures: unknown[] = [];
  const sweep = async (lane: SweepLane) => {
    for (let next = remaining.shift(); next !== undefined; next = remaining.shift())
      found[next[0]] = await lane.sweep(next[1], hasMore);
  };
  const failing = async (error: unknown) => {
    failures.push(error);
    await Promise.all(lanes.map((lane) => lane.stop()));
  };
  await Promise.all(lanes.map((lane) => sweep(lane).catch(failing)));
  if (failures.length > 0) throw failures[0];
  return found;
}
