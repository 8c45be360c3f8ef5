import { FilterRow, useFilterInAddress } from "../parts/filter-row.tsx";
import { auditFields } from "../parts/filters.ts";
import { count } from "../parts/format.ts";
import { JobLink, Text } from "../parts/link.tsx";
import { LongTable, type LongTableLook } from "../parts/long-table.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import { AuditOpener, jobsCell, jobsText } from "./audit-line.tsx";
import { auditUrl, PARTS_SIZE } from "./queries.ts";
import { type AuditRow, useAudit } from "./use-audit.ts";

const names = auditFields.map(({ name }) => name);

/** Who did what, to what, and why. */
export function AuditLog() {
  const { filter, setFilter, isFiltered } = useFilterInAddress(names);
  const { query: audit, rowsOf } = useAudit(filter);
  return (
    <>
      <FilterRow label="Audit log" fields={auditFields} filter={filter} onChange={setFilter} />
      <div className="list-head">
        <p role="status">
          The latest first, one line for an act. A file has all entries that match; an act opens at most its
          latest {count(PARTS_SIZE)}.
        </p>
        {(["csv", "ndjson"] as const).map((format) => (
          <a key={format} className="button small" href={auditUrl(filter, format)} download>
            Export {format.toUpperCase()}
          </a>
        ))}
      </div>
      <Loaded query={audit}>
        {(lines) => (
          <LongTable
            label="Audit log"
            look={look}
            rows={rowsOf(lines)}
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
  cardHeight: 132,
  columns: [
    { id: "as", title: "What", width: 190, cell: (row) => <What row={row} /> },
    { id: "on", title: "On", width: "2fr", minWidth: 200, cell: (row) => <OnWhat row={row} /> },
    { id: "jobs", title: "Jobs", width: 84, isNumber: true, cell: (row) => jobsCell(row) },
    { id: "why", title: "Why", width: "2fr", minWidth: 200, cell: ({ evidence }) => <Text of={evidence} /> },
    { id: "by", title: "By", width: "1fr", minWidth: 120, cell: ({ by }) => <Text of={by} /> },
    { id: "at", title: "When", width: 100, cell: ({ at }) => <Relative at={at} /> },
  ],
  card: (row) => (
    <div className="card">
      <div className="card-line">
        <b>
          <What row={row} />
        </b>
        {row.count !== null && <span>{jobsText(row)}</span>}
      </div>
      <OnWhat row={row} />
      <Text of={row.evidence} />
      <div className="card-line quiet">
        <Text of={row.by} />
        <Relative at={row.at} />
      </div>
    </div>
  ),
};

/** An act opens its entries. */
function What({ row }: { readonly row: AuditRow }) {
  const { what, parts, isPart } = row;
  if (parts === null)
    return isPart ? (
      <span className="part">
        <Text of={what} />
      </span>
    ) : (
      <Text of={what} />
    );
  return <AuditOpener row={row} />;
}

function OnWhat({ row: { jobId, queue, schedule, parts } }: { readonly row: AuditRow }) {
  if (jobId === "" && parts !== null)
    return <Text of={queue === "" ? "several jobs" : `several jobs of ${queue}`} />;
  if (schedule !== "") return <Text of={`schedule ${schedule}`} />;
  if (jobId === "") return <Text of={queue === "" ? "all queues" : `queue ${queue}`} />;
  return <JobLink id={jobId} />;
}
