import { queryOptions } from "@tanstack/react-query";
import { CANCELLED, IN_DOUBT } from "../parts/mark.tsx";
import type { FailureGroup, JobsQuery } from "../service/answers.ts";
import { query, service } from "../service/call.ts";
import type { RetryPart, RetryPlan } from "./retry.ts";

/** Failures of one type for one reason. */
export type Group = FailureGroup & {
  readonly id: string;
  /** When it was counted: jobs that fail later are not among them. */
  readonly countedAt: string;
};

/** Which failures: null stands for messages of any pattern. */
export type Reason = Pick<FailureGroup, "type" | "code" | "messagePattern">;

export interface Groups {
  readonly groups: readonly Group[];
  /** How many failed jobs were searched, and whether that is all of them. */
  readonly scanned: number;
  readonly isComplete: boolean;
}

export function failuresQuery() {
  return queryOptions({
    queryKey: ["failures"],
    queryFn: () => service.failures(),
    select: ({ groups, at, ...rest }): Groups => ({
      ...rest,
      groups: groups.map((group) => ({
        ...group,
        countedAt: at,
        id: JSON.stringify([group.type, group.code, group.messagePattern]),
      })),
    }),
  });
}

export function groupPath({ type, code, messagePattern }: Reason): string {
  return `/failed${query({ type, code, messagePattern })}`;
}

/** All jobs of the chosen groups, except jobs in doubt. */
export function planFor(groups: readonly Group[], isComplete: boolean): RetryPlan {
  const helped = groups.filter(({ code }) => code !== IN_DOUBT);
  return {
    parts: helped.map(partOf),
    before: groups[0]?.countedAt,
    isAtLeast: !isComplete && helped.length > 0,
    inDoubt: countOf(groups, IN_DOUBT),
    cancelled: 0,
  };
}

/** Somebody stopped these jobs on purpose: they are no failures, and retried only if chosen. */
export function isOfCancelled({ code }: Group): boolean {
  return code === CANCELLED;
}

/** All failed jobs, except cancelled ones and jobs in doubt. */
export function planForAll(groups: readonly Group[], isComplete: boolean): RetryPlan {
  const failed = groups.filter((group) => !isOfCancelled(group));
  const { parts: lines, ...plan } = planFor(failed, isComplete);
  const count = lines.reduce((total, line) => total + line.count, 0);
  // One act leaves the others alone by itself.
  const parts = count === 0 ? [] : [{ name: "all", count, select: { all: true } as const }];
  return { ...plan, parts, lines, cancelled: countOf(groups, CANCELLED) };
}

function countOf(groups: readonly Group[], wanted: string): number {
  return groups.filter(({ code }) => code === wanted).reduce((total, { count }) => total + count, 0);
}

function partOf({ type, code, messagePattern, count }: Group): RetryPart {
  const filter = { type, code, ...(messagePattern !== null && { messagePattern }) } as JobsQuery;
  const name = `${type}: ${code}${messagePattern === null ? "" : `: ${messagePattern}`}`;
  return { name, count, select: { filter } };
}
