import type { JobState } from "../../core/job/job-state.ts";
import type { ActPreview, ActStatus } from "./answers.ts";
import { type Api, headerText, isoText, query } from "./api.ts";

/** Which jobs are meant. */
export interface JobsQuery {
  readonly queue?: string;
  readonly type?: string;
  readonly state?: JobState;
  /** Why they failed, e.g. `HANDLER_FAILED`. */
  readonly code?: string;
  /** Submitted with this tag. */
  readonly tag?: string;
  /** A part of the error's message, in upper or lower case. */
  readonly errorText?: string;
  /** The pattern of the error's message, as `failures()` returns it. */
  readonly messagePattern?: string;
  readonly idempotencyKey?: string;
  /** A part of the idempotency key. */
  readonly keyPart?: string;
  /** Submitted at or after this. */
  readonly from?: Date;
  /** Submitted before this. */
  readonly to?: Date;
  /** Ended at or after this. */
  readonly endedFrom?: Date;
  /** Ended before this. */
  readonly endedTo?: Date;
}

/** An act on many jobs. A retry leaves cancelled jobs and jobs in doubt as they are, unless their code is given. */
export interface ActQuery {
  readonly act: "retry" | "cancel" | "delete";
  readonly filter?: JobsQuery;
  /** Instead of a filter: every job that it can be done with. */
  readonly all?: true;
}

export interface StartActQuery extends ActQuery {
  /** Why, 1 to 500 characters. */
  readonly reason: string;
  /** How many jobs at most in a time. @default no limit @example "50/s" */
  readonly rate?: string;
}

/** Acts on many jobs. */
export interface ActCalls {
  /** What an act on many jobs would do; `nextCursor` is null if all were counted. */
  previewAct(act: ActQuery): Promise<ActPreview>;
  /** Starts an act on many jobs, which any worker runs. Like a submission it is sent again. @returns its id */
  startAct(act: StartActQuery, options: { readonly idempotencyKey: string }): Promise<string>;
  /** Lists acts: those that have not ended first, then the latest. @param limit 1 to 200 @default 20 */
  acts(limit?: number): Promise<readonly ActStatus[]>;
  /** How far an act is. @throws HoldfastError `JOB_NOT_FOUND` */
  act(id: string): Promise<ActStatus>;
  /** Stops an act. What it has done stays done. @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED` */
  stopAct(id: string): Promise<ActStatus>;
}

export function actCalls(api: Api): ActCalls {
  const path = (id: string) => `/jobs/acts/${encodeURIComponent(id)}`;
  const start = { path: "/jobs/acts", method: "POST" } as const;
  return {
    previewAct: async (act) =>
      await api.again({ ...start, body: JSON.stringify({ ...actBody(act), dryRun: true }) }),
    async startAct(act, { idempotencyKey }) {
      const headers = { "idempotency-key": headerText(idempotencyKey) };
      const { id } = await api.again<{ id: string }>({
        ...start,
        body: JSON.stringify(actBody(act)),
        headers,
        isKeyed: true,
      });
      return id;
    },
    async acts(limit) {
      return (await api.again<{ acts: ActStatus[] }>({ path: `/jobs/acts${query({ limit })}` })).acts;
    },
    act: async (id) => await api.again({ path: path(id) }),
    stopAct: async (id) => await api.once({ path: `${path(id)}/stop`, method: "POST" }),
  };
}

/** @throws HoldfastError `INVALID_REQUEST` for an invalid date */
function actBody({ filter, ...act }: ActQuery) {
  if (filter === undefined) return act;
  const members = Object.entries(filter).map(([name, value]) => [
    name,
    value instanceof Date ? isoText(name, value) : value,
  ]);
  return { ...act, filter: Object.fromEntries(members) };
}
