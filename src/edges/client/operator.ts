import { type ActCalls, actCalls } from "./acts.ts";
import { readAnswer } from "./answer.ts";
import type { Health } from "./answers.ts";
import type { ApiCalls } from "./api.ts";
import type { Body, Query } from "./operation-types.ts";
import { type OperationCalls, routes } from "./operations.ts";
import { callRoute } from "./routes.ts";

/** Which jobs are meant. */
export type JobsQuery = NonNullable<Body<"startAct">["filter"]>;
export type ListQuery = Query<"list">;
export type ClientResolution = Body<"resolve">;
/** Which doubts. What is absent does not count. */
export type ClientDoubtFilter = NonNullable<Body<"resolveDoubts">["filter"]>;
export type DoubtsQuery = Query<"doubts">;
/** Either `ids`, or a `filter`, or `all`. */
export type ManyDoubtsRequest = Body<"resolveDoubts">;
/** Which part of the history to read. */
export type ClientHistoryQuery = Query<"history">;

/** What an operator can do, see {@link OperationCalls}. */
export interface OperatorCalls extends OperationCalls, ActCalls {
  /** Whether the API can keep its promises now. */
  health(): Promise<Health>;
}

export function operatorCalls(api: ApiCalls): OperatorCalls {
  const calls = Object.entries(routes).map(([name, route]) => [
    name,
    (...given: unknown[]) => callRoute(api, route, given),
  ]);
  return {
    ...(Object.fromEntries(calls) as OperationCalls),
    ...actCalls(api),
    health: () => api.once({ path: "/health/ready" }, undefined, readHealth),
  };
}

/** Not ready is an answer, too. */
async function readHealth(response: Response): Promise<unknown> {
  const isProblem = response.headers.get("content-type")?.startsWith("application/json") !== true;
  return isProblem ? await readAnswer(response) : await response.json();
}
