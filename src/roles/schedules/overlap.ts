import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { hasEnded } from "../../core/job/job-status.ts";
import { openStatusReader } from "../../core/status/read-status.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { begins, okReply, oneOf, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { Schedule } from "./define-schedule.ts";

/** Which ticks of a schedule were decided, where its jobs must not overlap. */
function scheduleOverlapKey(prefix: string, name: string): string {
  return `${prefix}:schedule-overlap:${name}`;
}

/** What became of a tick. `decided`: another scheduler decided it before. `unsubmitted`: the running tick's job must be submitted first. */
export type TickDecision = "run" | "queued" | "skipped" | "decided" | "unsubmitted";

/** The ticks of a schedule whose jobs must not overlap. Instants are milliseconds since 1970. */
export interface OverlapState {
  /** Its job has not ended. */
  readonly running: number | undefined;
  /** The running tick's job; undefined until it is submitted. */
  readonly jobId: string | undefined;
  /** It is submitted once the running tick's job has ended. */
  readonly queued: number | undefined;
}

export interface OverlapExplanation {
  readonly isQueued: boolean;
  readonly why: string;
}

const decideScript = loadScript(
  import.meta.url,
  "decide-tick.lua",
  begins([oneOf<TickDecision | "">("run", "queued", "skipped", "decided", "unsubmitted", "")], text),
);
const noteScript = loadScript(import.meta.url, "note-job.lua", okReply);

/** How many decisions are kept: as many as people look back at. A tick whose skip is forgotten stays skipped. */
const SKIPS_MAX = 100;

export type Overlaps = ReturnType<typeof openOverlaps>;

/** Decides the ticks of schedules whose jobs must not overlap. Each call fails with `STORE_UNAVAILABLE` or `STORE_FULL`. */
export function openOverlaps(stores: QueueStores, prefix: string, retentionMs: number) {
  const readStatus = openStatusReader(stores, []);
  const keyOf = ({ name }: Schedule) => scheduleOverlapKey(prefix, name);

  async function read(schedule: Schedule): Promise<OverlapState> {
    return stateOf(await stores.client.hmget(keyOf(schedule), "running", "job", "queued"));
  }

  async function run(schedule: Schedule, at: number | undefined, ended: number | undefined) {
    const args = [at ?? "", schedule.overlap, ended ?? "", retentionMs, SKIPS_MAX];
    const [decision, ...fields] = await decideScript.run(stores.client, [keyOf(schedule)], args);
    return { decision, ...stateOf(fields) };
  }

  // A job that has ended stays ended, so its state may be read before the step that uses it, in whatever slot it is.
  async function isOver(jobId: string): Promise<boolean> {
    const status = await readStatus(jobId);
    return status === undefined || hasEnded(status);
  }

  async function decide(schedule: Schedule, at: number) {
    const { running, jobId } = await read(schedule);
    const ended = jobId !== undefined && (await isOver(jobId)) ? running : undefined;
    return await run(schedule, at, ended);
  }

  async function advance(schedule: Schedule): Promise<OverlapState> {
    const state = await read(schedule);
    const { running, jobId, queued } = state;
    if (queued === undefined || jobId === undefined || !(await isOver(jobId))) return state;
    return await run(schedule, undefined, running);
  }

  return {
    /** Decides a tick, once for all schedulers. */
    decide: (schedule: Schedule, at: number) => inTime(decide(schedule, at)),
    /** Looks whether the running tick's job has ended, and lets the queued one go on. */
    advance: (schedule: Schedule) => inTime(advance(schedule)),
    async noteJob(schedule: Schedule, at: number, jobId: string) {
      await inTime(noteScript.run(stores.client, [keyOf(schedule)], [at, jobId]));
    },
    /** Ends a tick whose job cannot be submitted. */
    async drop(schedule: Schedule, at: number) {
      await inTime(run(schedule, undefined, at));
    },
    /** Returns why ticks have no job; undefined for a tick whose decision is no longer kept. */
    async explain(schedule: Schedule): Promise<(at: number) => OverlapExplanation | undefined> {
      if (schedule.overlap === "allow") return () => undefined;
      const fields = ["running", "queued", "skips"] as const;
      const [running, queued, skips] = await inTime(stores.client.hmget(keyOf(schedule), ...fields));
      const met = new Map(skips?.split(" ").map((skip) => skip.split(":") as [string, string]));
      return (at) => {
        if (queued === String(at)) return { isQueued: true, why: `it waits for ${jobOf(running)} to end` };
        const other = met.get(String(at));
        return other === undefined ? undefined : { isQueued: false, why: metText(other) };
      };
    },
  };
}

function stateOf([running, jobId, queued]: readonly (string | null)[]): OverlapState {
  const instant = (text: string | null | undefined) => (text ? Number(text) : undefined);
  return { running: instant(running), jobId: jobId || undefined, queued: instant(queued) };
}

function jobOf(tick: unknown): string {
  return `the job of ${isoTime(Number(tick))}`;
}

/** Why a tick was skipped. */
export function metText(running: unknown): string {
  return `${jobOf(running)} was still running`;
}
