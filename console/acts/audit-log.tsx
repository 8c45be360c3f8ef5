import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Member } from "../parts/filter-fields.tsx";
import { auditFields } from "../parts/filters.ts";
import { count, counted } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { LongTable, type LongTableLook } from "../parts/long-table.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import { type AuditFilter, type AuditRow, auditQuery, auditUrl } from "./queries.ts";

/** Who did what, to what, and why. */
export function AuditLog() {
  const [filter, setFilter] = useState<AuditFilter>({ by: "", from: "", to: "" });
  const audit = useQuery(auditQuery(filter));
  const isFiltered = Object.values(filter).some((value) => value !== "");
  return (
    <>
      <search className="filters few" aria-label="Audit log">
        {auditFields.map((field) => (
          <Member
            key={field.name}
            field={field}
            value={filter[field.name]}
            onChange={(text) => setFilter({ ...filter, [field.name]: text })}
          />
        ))}
      </search>
      <div className="list-head">
        <p role="status">The latest first; a file has all that match.</p>
        {(["csv", "ndjson"] as const).map((format) => (
          <a key={format} className="button small" href={auditUrl(filter, format)} download>
            Export {format.toUpperCase()}
          </a>
        ))}
      </div>
      <Loaded query={audit}>
        {(rows) => (
          <LongTable
            label="Audit log"
            look={look}
            rows={rows}
            empty={
              <Empty title={isFiltered ? "Nothing matches." : "Nothing was done by hand."}>
                Retries, pauses, limits and the like are listed here.
              </Empty>
            }
          />
        )}
      </Loaded>
    </>
  );
}

const look: LongTableLook<AuditRow> = {
  cardHeight: 120,
  columns: [
    { id: "as", title: "What", width: 150, cell: (row) => <Text of={whatOf(row)} /> },
    { id: "on", title: "On", width: "2fr", minWidth: 200, cell: (row) => <OnWhat row={row} /> },
    { id: "jobs", title: "Jobs", width: 84, isNumber: true, cell: (row) => jobs(row) },
    { id: "why", title: "Why", width: "2fr", minWidth: 200, cell: ({ evidence }) => <Text of={evidence} /> },
    { id: "by", title: "By", width: "1fr", minWidth: 120, cell: ({ by }) => <Text of={by} /> },
    { id: "at", title: "When", width: 100, cell: ({ at }) => <Relative at={at} /> },
  ],
  card: (row) => (
    <div className="card">
      <div className="card-line">
        <b>
          <Text of={whatOf(row)} />
        </b>
        {row.count !== null && <span>{counted(row.count, "job")}</span>}
      </div>
      <OnWhat row={row} />
      <Text of={row.evidence} />
      <span className="quiet">
        <Text of={row.by} />, <Relative at={row.at} />
      </span>
    </div>
  ),
};

function jobs({ count: some }: AuditRow): string {
  return some === null ? "" : count(some);
}

function OnWhat({ row: { jobId, queue, schedule } }: { readonly row: AuditRow }) {
  if (schedule !== "") return <Text of={`schedule ${schedule}`} />;
  if (jobId === "") return <Text of={queue === "" ? "all queues" : `queue ${queue}`} />;
  return <JobLink id={jobId} />;
}

/** "send: done" of an effect. */
function whatOf({ as, effect }: AuditRow): string {
  return effect === "" ? as : `${effect}: ${as}`;
}
