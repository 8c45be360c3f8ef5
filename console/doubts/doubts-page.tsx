import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "wouter";
import { hintText, verdictFirst } from "../../src/evidence/outgoing/outgoing-text.ts";
import { AuditOpener, jobsText } from "../acts/audit-line.tsx";
import { type AuditRow, useAudit } from "../acts/use-audit.ts";
import { typesQuery } from "../jobs/queries.ts";
import { FilterRow, useFilterInAddress } from "../parts/filter-row.tsx";
import { doubtFields } from "../parts/filters.ts";
import { counted } from "../parts/format.ts";
import { isCall, JobLink, Text, To } from "../parts/link.tsx";
import { LongTable, type LongTableLook } from "../parts/long-table.tsx";
import { Mark } from "../parts/mark.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Age, Relative } from "../parts/time.tsx";
import type { AuditLine } from "../service/answers.ts";
import { useNeedsPerson } from "../service/live.tsx";
import { useMay } from "../service/session.ts";
import { useFreshOn } from "../service/use-fresh-on.ts";
import { ImportExport } from "./import-export.tsx";
import { Asked, AskProbes } from "./probe.tsx";
import { type DoubtFilter, type DoubtRow, doubtFilterMembers, doubtsQuery } from "./queries.ts";
import { ResolveButton } from "./resolve-dialog.tsx";
import { ResolveSelected } from "./resolve-selected.tsx";
import { Verdicts } from "./verdicts.tsx";

/** Effects in doubt, and how earlier ones were resolved. */
export function DoubtsPage() {
  const [params] = useSearchParams();
  const isResolved = params.get("view") === "resolved";
  return (
    <Page
      title="In doubt"
      guide="doubts.md"
      isFilling
      lead="Nobody can know whether these side effects happened. Look where they would show, then resolve them."
    >
      <nav className="views" aria-label="Views">
        <To to="/doubts" current={!isResolved}>
          Open
        </To>
        <To to="/doubts?view=resolved" current={isResolved}>
          Resolved
        </To>
      </nav>
      {isResolved ? <Resolved /> : <ToResolve />}
    </Page>
  );
}

function ToResolve() {
  const { filter, setFilter, isFiltered } = useFilterInAddress(doubtFilterMembers);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const doubts = useInfiniteQuery(doubtsQuery(filter));
  const types = useQuery(typesQuery());
  const { inDoubt } = useNeedsPerson();
  const mayOperate = useMay("operate");
  useFreshOn(inDoubt, ["doubts"]);
  const more = { load: () => void doubts.fetchNextPage(), isLoading: doubts.isFetchingNextPage };
  return (
    <>
      {(isFiltered || (doubts.data?.length ?? 0) > 1) && (
        <>
          <FilterRow
            label="Doubts"
            fields={doubtFields}
            filter={filter}
            onChange={setFilter}
            known={{ type: types.data?.map(({ type }) => type) ?? [] }}
          />
          <Verdicts filter={filter} onChange={setFilter} />
        </>
      )}
      <Loaded query={doubts}>
        {(rows) => (
          <>
            <DoubtsHead rows={rows} filter={filter} isFiltered={isFiltered} chosen={chosen} choose={choose} />
            <LongTable
              label="Effects in doubt"
              look={doubtLook}
              rows={rows}
              more={doubts.hasNextPage ? more : undefined}
              selection={mayOperate && rows.length > 1 ? { ids: chosen, onChange: choose } : undefined}
              empty={
                <Empty title={isFiltered ? "No doubt matches." : "Nothing is in doubt."}>
                  {isFiltered
                    ? "Others may be in doubt: clear the filter."
                    : "Every side effect is known to have happened or not."}
                </Empty>
              }
            />
          </>
        )}
      </Loaded>
    </>
  );
}

interface HeadProps {
  readonly rows: readonly DoubtRow[];
  readonly filter: DoubtFilter;
  readonly isFiltered: boolean;
  readonly chosen: ReadonlySet<string>;
  readonly choose: (ids: ReadonlySet<string>) => void;
}

/** How many there are, and what to do with many of them. */
function DoubtsHead({ rows, filter, isFiltered, chosen, choose }: HeadProps) {
  const { inDoubt } = useNeedsPerson();
  const mayOperate = useMay("operate");
  const selected = rows.filter(({ id }) => chosen.has(id));
  const onDone = () => choose(new Set());
  return (
    <div className="list-head">
      <p role="status">
        {counted(isFiltered ? rows.length : (inDoubt ?? rows.length), "effect")} in doubt
        {rows.length > 1 && ", oldest first"}
        {chosen.size > 0 && `; ${chosen.size} selected`}
      </p>
      {mayOperate && rows.length > 0 && <ImportExport filter={filter} isFiltered={isFiltered} />}
      {mayOperate && selected.length > 0 && <AskProbes doubts={selected} onDone={onDone} />}
      {mayOperate && <ResolveSelected doubts={rows.length > 1 ? selected : []} onDone={onDone} />}
    </div>
  );
}

const effectColumn = {
  id: "effect",
  title: "Effect and job",
  width: "2fr",
  minWidth: 200,
  cell: (row: DoubtRow) => <EffectOf row={row} />,
} as const;

const doubtLook: LongTableLook<DoubtRow> = {
  rowHeight: 60,
  cardHeight: 186,
  columns: [
    effectColumn,
    { id: "since", title: "For", width: 84, cell: ({ since }) => <Age at={since} /> },
    {
      id: "reason",
      title: "Why nobody knows",
      width: "2fr",
      minWidth: 200,
      cell: (row) => <Why row={row} />,
    },
    { id: "worker", title: "Who ran it", width: "1fr", minWidth: 150, cell: (row) => <WhoRan row={row} /> },
    { id: "report", title: "Reported later", width: 130, cell: ({ report }) => <Report of={report} /> },
    {
      id: "resolve",
      title: "Resolve",
      isTitleSpoken: true,
      width: 96,
      cell: (row) => <ResolveButton jobId={row.jobId} effect={row.effect} doubt={row} />,
    },
  ],
  card: (row) => (
    <div className="card">
      <EffectOf row={row} />
      <Why row={row} />
      <div className="card-line quiet">
        <WhoRan row={row} />
        <span>
          for <Age at={row.since} />
        </span>
      </div>
      <div className="card-line">
        {row.report === null ? <span /> : <Report of={row.report} />}
        <ResolveButton jobId={row.jobId} effect={row.effect} doubt={row} />
      </div>
    </div>
  ),
};

type EffectNamed = Pick<DoubtRow, "effect" | "jobId"> &
  Partial<Pick<DoubtRow, "type" | "idempotencyKey" | "about">>;

/** The effect and its job, by type and key where they are known. */
function EffectOf({ row }: { readonly row: EffectNamed }) {
  const { effect, jobId, type = null, idempotencyKey = null, about = null } = row;
  return (
    <span className="two-lines">
      <span>
        <b>
          <Text of={effect} />
        </b>
        {type !== null && (
          <span className="quiet">
            {" of "}
            <Text of={type} />
          </span>
        )}
        {about !== null && (
          <span className="quiet">
            {" about "}
            <Text of={about} />
          </span>
        )}
      </span>
      <JobLink id={jobId}>{idempotencyKey === null ? undefined : <Text of={idempotencyKey} />}</JobLink>
    </span>
  );
}

/** Why nobody knows, and what was seen to leave. */
function Why({ row }: { readonly row: DoubtRow }) {
  const { reason, evidence, hint, asked } = row;
  if (asked !== null)
    return (
      <span className="two-lines">
        <Text of={reason} />
        <Asked doubt={row} />
      </span>
    );
  return (
    <span className="two-lines">
      <Text of={reason} />
      <span className="quiet">
        <Text of={`${verdictFirst(evidence)}${hint ? ` (${hintText(hint)})` : ""}`} />
      </span>
    </span>
  );
}

function WhoRan({ row: { jobId, worker, start, mayStillRun, workerSeenAt } }: { readonly row: DoubtRow }) {
  return (
    <span className="two-lines">
      <Text of={worker} isCode />
      {mayStillRun ? (
        <span className="bad">
          may still run
          {workerSeenAt !== null && (
            <>
              , seen <Relative at={workerSeenAt} />
            </>
          )}
        </span>
      ) : (
        <span className="quiet">{isCall(jobId) ? "for a guard" : `start ${start} of the job`}</span>
      )}
    </span>
  );
}

/** What its worker reported afterwards. */
function Report({ of }: { readonly of: DoubtRow["report"] }) {
  if (of === null) return <span className="quiet">–</span>;
  return of === "done" ? <Mark of="done" text="“done”" /> : <Mark of="none" text="“not done”" />;
}

function Resolved() {
  const { query, rowsOf } = useAudit();
  return (
    <Loaded query={query}>
      {(lines) => (
        <LongTable
          label="Resolved doubts"
          look={auditLook}
          rows={rowsOf(lines.filter((line) => resolvedAs(line).length > 0))}
          empty={
            <Empty title="No doubt was resolved yet.">
              The audit log shows who resolved which doubt, and on what evidence.
            </Empty>
          }
        />
      )}
    </Loaded>
  );
}

const auditLook: LongTableLook<AuditRow> = {
  rowHeight: 60,
  cardHeight: 150,
  columns: [
    // As wide as a job's id.
    { ...effectColumn, minWidth: 376, cell: (row) => <WhatWasResolved row={row} /> },
    { id: "as", title: "Resolved as", width: 110, cell: (row) => <ResolvedAs row={row} /> },
    {
      id: "evidence",
      title: "Evidence",
      width: "3fr",
      minWidth: 200,
      cell: ({ evidence }) => <Text of={evidence} />,
    },
    { id: "by", title: "By", width: "1fr", minWidth: 100, cell: ({ by }) => <Text of={by} /> },
    { id: "at", title: "When", width: 100, cell: ({ at }) => <Relative at={at} /> },
  ],
  card: (row) => (
    <div className="card">
      <WhatWasResolved row={row} />
      <Text of={row.evidence} />
      <div className="card-line">
        <ResolvedAs row={row} />
        <span className="quiet">
          <Text of={row.by} />, <Relative at={row.at} />
        </span>
      </div>
    </div>
  ),
};

/** Those that were resolved together open. */
function WhatWasResolved({ row }: { readonly row: AuditRow }) {
  if (row.parts === null)
    return (
      <span className={row.isPart ? "part" : ""}>
        <EffectOf row={row} />
      </span>
    );
  return (
    <span className="two-lines">
      <AuditOpener row={row} />
      <span className="quiet">{jobsText(row)}</span>
    </span>
  );
}

/** How a line of the audit log resolved effects, the earliest first; not at all where it is another one. */
function resolvedAs({ as, parts }: AuditLine): string[] {
  return (parts?.as ?? [as]).filter((each) => each === "done" || each === "not-done");
}

function ResolvedAs({ row }: { readonly row: AuditRow }) {
  return resolvedAs(row).map((as) =>
    as === "done" ? <Mark key={as} of="done" /> : <Mark key={as} of="none" text="not done" />,
  );
}
