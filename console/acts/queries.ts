import { queryOptions } from "@tanstack/react-query";
import type { ActStatus, AuditEntry } from "../service/answers.ts";
import { query, read, send } from "../service/call.ts";

const REFRESH_MS = 1_000;
const ENDED_REFRESH_MS = 5_000;
const SHOWN = 50;

/** Those that have not ended first, then the latest. */
export function actsQuery() {
  return queryOptions({
    queryKey: ["acts"],
    queryFn: ({ signal }) =>
      read<{ readonly acts: readonly ActStatus[] }>(`jobs/acts?limit=${SHOWN}`, signal),
    refetchInterval: ({ state: { data } }) =>
      data?.acts.some(({ endedAt }) => endedAt === null) ? REFRESH_MS : ENDED_REFRESH_MS,
    select: ({ acts }) => acts,
  });
}

/** An act on all jobs of a filter, whose members are those of `GET /jobs`. Empty ones do not count. */
export interface FilteredAct {
  readonly act: "cancel" | "delete";
  readonly filter: Readonly<Record<string, string>>;
}

/** What an act would do, as far as one call counts. */
export interface Preview {
  readonly count: number;
  readonly matching: readonly {
    readonly type: string;
    readonly code: string | null;
    readonly count: number;
  }[];
  readonly nextCursor: string | null;
}

export function previewQuery({ act, filter }: FilteredAct) {
  return queryOptions({
    queryKey: ["acts", "preview", act, filter],
    queryFn: ({ signal }) =>
      send<Preview>("jobs/acts", { act, filter: withoutEmpty(filter), dryRun: true }, { signal }),
    staleTime: 0,
  });
}

export async function startAct({
  filter,
  ...wanted
}: FilteredAct & { readonly reason: string }): Promise<void> {
  await send("jobs/acts", { ...wanted, filter: withoutEmpty(filter) });
}

function withoutEmpty(filter: FilteredAct["filter"]): FilteredAct["filter"] {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}

const AUDIT_SIZE = 200;

export type AuditRow = AuditEntry & { readonly id: string };

/** Who did what, the latest first. */
export function auditQuery() {
  return queryOptions({
    queryKey: ["audit"],
    queryFn: ({ signal }) =>
      read<{ readonly entries: readonly AuditEntry[] }>(`audit${query({ limit: AUDIT_SIZE })}`, signal),
    refetchInterval: ENDED_REFRESH_MS,
    select: auditRows,
  });
}

export function auditRows({ entries }: { readonly entries: readonly AuditEntry[] }): AuditRow[] {
  return entries.map((entry, index) => ({ ...entry, id: `${entry.at} ${entries.length - index}` }));
}

export async function readAct(id: string): Promise<ActStatus> {
  return await read(actPath(id));
}

export async function stopAct(id: string): Promise<ActStatus> {
  return await send(`${actPath(id)}/stop`);
}

function actPath(id: string): string {
  return `jobs/acts/${encodeURIComponent(id)}`;
}
