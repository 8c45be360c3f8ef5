import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Member } from "../parts/filter-fields.tsx";
import { auditFields } from "../parts/filters.ts";
import { count, counted } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { JobLink, Text } from "../parts/link.tsx";
import { LongTable, type LongTableLook } from "../parts/long-table.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import { type AuditLine, type AuditRow, linesOf, whatOf } from "./audit-lines.ts";
import { type AuditFilter, auditQuery, auditUrl } from "./queries.ts";

/** Who did what, to what, and why. */
export function AuditLog() {
  const [filter, setFilter] = useState<AuditFilter>({ by: "", from: "", to: "" });
  const audit = useQuery(auditQuery(filter));
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const shownOf = (rows: readonly AuditRow[]): Shown[] =>
    linesOf(rows, opened).map((line) => ({
      ...line,
      isOpen: opened.has(line.id),
      onToggle: () => setOpened(toggled(opened, line.id)),
    }));
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
        <p role="status">The latest first; a file has all entries that match.</p>
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
            rows={shownOf(rows)}
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

function toggled(ids: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return ids.has(id) ? new Set([...ids].filter((other) => other !== id)) : new Set([...ids, id]);
}

interface Shown extends AuditLine {
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

const look: LongTableLook<Shown> = {
  cardHeight: 132,
  columns: [
    { id: "as", title: "What", width: 190, cell: (row) => <What row={row} /> },
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
          <What row={row} />
        </b>
        {row.count !== null && (
          <span>{`${row.isAtLeast ? "at least " : ""}${counted(row.count, "job")}`}</span>
        )}
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

/** An act opens its parts. */
function What({ row }: { readonly row: Shown }) {
  const { parts, isPart, isOpen, onToggle } = row;
  const what = whatOf(row);
  if (parts.length === 0)
    return isPart ? (
      <span className="part">
        <Text of={what} />
      </span>
    ) : (
      <Text of={what} />
    );
  return (
    <button type="button" className="opener" aria-expanded={isOpen} onClick={onToggle}>
      <Icon of="open" />
      <Text of={what} />
    </button>
  );
}

function jobs({ count: some, isAtLeast }: AuditLine): string {
  if (some === null) return "";
  return isAtLeast ? `≥ ${count(some)}` : count(some);
}

function OnWhat({ row: { jobId, queue, schedule, parts } }: { readonly row: AuditLine }) {
  if (new Set(parts.map((part) => part.jobId)).size > 1)
    return <Text of={queue === "" ? "several jobs" : `several jobs of ${queue}`} />;
  if (schedule !== "") return <Text of={`schedule ${schedule}`} />;
  if (jobId === "") return <Text of={queue === "" ? "all queues" : `queue ${queue}`} />;
  return <JobLink id={jobId} />;
}
