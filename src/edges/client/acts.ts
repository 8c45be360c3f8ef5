import type { ActPreview } from "./answers.ts";
import { type ApiCalls, headerText, jsonOf } from "./api.ts";
import type { Body } from "./operation-types.ts";

/** An act on many jobs. A retry leaves cancelled jobs and jobs in doubt as they are, unless their code is given. */
export type ActQuery = Pick<Body<"startAct">, "act" | "filter" | "all">;

export interface StartActQuery extends ActQuery {
  /** Why, 1 to 500 characters. */
  readonly reason: string;
  /** How many jobs at most in a time. @default no limit @example "50/s" */
  readonly rate?: string;
  /** `before` of the preview that was seen: jobs that ended since, or to cancel: were submitted, stay as they are. @default now */
  readonly before?: string;
}

/** Acts on many jobs. */
export interface ActCalls {
  /** What an act on many jobs would do; `nextCursor` is null if all were counted. */
  previewAct(act: ActQuery): Promise<ActPreview>;
  /** Starts an act on many jobs, which any worker runs. Like a submission it is sent again. @returns its id */
  startAct(act: StartActQuery, options: { readonly idempotencyKey: string }): Promise<string>;
}

export function actCalls(api: ApiCalls): ActCalls {
  const start = { path: "/jobs/acts", method: "POST" } as const;
  return {
    previewAct: async (act) => await api.again({ ...start, body: jsonOf({ ...act, dryRun: true }) }),
    async startAct(act, { idempotencyKey }) {
      const headers = { "idempotency-key": headerText(idempotencyKey) };
      const started = { ...start, body: jsonOf(act), headers, isKeyed: true };
      return (await api.again<{ id: string }>(started)).id;
    },
  };
}
