import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { useSearchParams } from "wouter";
import { count, counted, instant, viewersZone } from "../parts/format.ts";
import { JobLink, Text, To } from "../parts/link.tsx";
import { LongTable, type LongTableLook } from "../parts/long-table.tsx";
import { IN_DOUBT } from "../parts/mark.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { Relative, TimeOfDay } from "../parts/time.tsx";
import { Trend } from "../parts/trend.tsx";
import { visible } from "../parts/visible.ts";
import { useNeedsPerson } from "../service/live.tsx";
import { useMay } from "../service/session.ts";
import { useFreshOn } from "../service/use-fresh-on.ts";
import {
  failuresQuery,
  type Group,
  type Groups,
  groupPath,
  isOfCancelled,
  planFor,
  planForAll,
} from "./groups.ts";
import { countOf } from "./retry.ts";
import { useRetryDialog } from "./retry-dialog.tsx";

/** Failures by type and reason, the latest first. */
export function GroupList() {
  const failures = useQuery(failuresQuery());
  useFreshOn(useNeedsPerson().failed, failuresQuery().queryKey);
  return (
    <Page
      title="Failed"
      isFilling
      lead="Jobs that ended without success, by type and reason."
      guide="errors-of-jobs.md"
    >
      <Loaded query={failures}>{(data) => <Found data={data} updatedAt={failures.dataUpdatedAt} />}</Loaded>
    </Page>
  );
}

function Found({ data, updatedAt }: { readonly data: Groups; readonly updatedAt: number }) {
  const { isComplete } = data;
  const [params] = useSearchParams();
  const isOnlyNew = params.get("new") === "true";
  const all = data.groups.toSorted(byLatest);
  const groups = isOnlyNew ? all.filter(isNew) : all;
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const retry = useRetryDialog();
  const mayRetry = useMay("operate");
  const chosen = groups.filter(({ id }) => ids.has(id));
  const plan =
    chosen.length + Number(isOnlyNew) === 0
      ? planForAll(groups, isComplete)
      : planFor(chosen.length === 0 ? groups.filter((group) => !isOfCancelled(group)) : chosen, isComplete);
  const jobs = countOf(plan);
  return (
    <>
      {(isOnlyNew || all.some(isNew)) && (
        <nav className="views" aria-label="Which failures">
          <To to="/failed" current={!isOnlyNew}>
            All
          </To>
          <To to="/failed?new=true" current={isOnlyNew}>
            {`New since the deploy ${all.some(isNew) ? `(${count(all.filter(isNew).length)})` : ""}`}
          </To>
        </nav>
      )}
      <div className="list-head">
        <p role="status">
          {aboutFailures(groups, isComplete)}, as of <TimeOfDay at={updatedAt} />
        </p>
        {mayRetry && (
          <Button className="button" isDisabled={jobs === 0} onPress={() => retry(plan)}>
            {chosen.length === 0
              ? `Retry all ${count(jobs)}…`
              : `Retry ${counted(jobs, "job")} for ${counted(chosen.length, "reason")}…`}
          </Button>
        )}
      </div>
      <LongTable
        label="Failures by type and reason"
        look={groupLook}
        rows={groups}
        selection={mayRetry ? { ids, onChange: setIds } : undefined}
        empty={
          isOnlyNew ? (
            <Empty title="Nothing new has failed.">
              Each of these failures was seen before the newest version of the application.
            </Empty>
          ) : (
            <Empty title="Nothing has failed.">Jobs that fail for good are listed here, by reason.</Empty>
          )
        }
      />
    </>
  );
}

function isNew({ newSince }: Group): boolean {
  return newSince !== null;
}

/** Those that were cancelled come last: nobody has to look at them. */
function byLatest(one: Group, other: Group): number {
  const order = Number(isOfCancelled(one)) - Number(isOfCancelled(other));
  return order || other.lastAt.localeCompare(one.lastAt);
}

function aboutFailures(groups: readonly Group[], isComplete: boolean): string {
  const failed = groups.filter((group) => !isOfCancelled(group) && group.code !== IN_DOUBT);
  const jobs = counted(jobsOf(failed), "failed job");
  const others = [
    [groups.filter(isOfCancelled), "cancelled"],
    [groups.filter(({ code }) => code === IN_DOUBT), "in doubt"],
  ] as const;
  const besides = others
    .filter(([some]) => some.length > 0)
    .map(([some, what]) => `${count(jobsOf(some))} ${what}`)
    .join(" and ");
  const text = `${isComplete ? "" : "At least "}${jobs} for ${counted(failed.length, "reason")}`;
  return besides === "" ? text : `${text}; ${besides} besides`;
}

function jobsOf(groups: readonly Group[]): number {
  return groups.reduce((total, group) => total + group.count, 0);
}

const groupLook: LongTableLook<Group> = {
  rowHeight: 56,
  cardHeight: 128,
  columns: [
    {
      id: "reason",
      title: "Reason",
      width: "3fr",
      minWidth: 220,
      cell: (group) => <Reason group={group} />,
    },
    { id: "type", title: "Type", width: "1fr", minWidth: 120, cell: ({ type }) => <Text of={type} /> },
    { id: "trend", title: "Last 24 h", width: 112, cell: ({ lastDay }) => <Trend hours={lastDay} /> },
    { id: "count", title: "Jobs", width: 84, isNumber: true, cell: (group) => <b>{count(group.count)}</b> },
    { id: "first", title: "First", width: 96, cell: ({ firstAt }) => <Relative at={firstAt} /> },
    { id: "last", title: "Latest", width: 96, cell: ({ lastAt }) => <Relative at={lastAt} /> },
    {
      id: "example",
      title: "Example",
      width: 92,
      cell: ({ exampleId }) => <JobLink id={exampleId}>a job</JobLink>,
    },
    {
      id: "retry",
      title: "Action",
      isTitleSpoken: true,
      width: 112,
      cell: (group) => <Help group={group} />,
    },
  ],
  card: (group) => (
    <div className="card">
      <Reason group={group} />
      <div className="card-line">
        <Text of={group.type} />
        <b>{counted(group.count, "job")}</b>
      </div>
      <div className="card-line">
        <Trend hours={group.lastDay} />
        <span className="quiet">
          latest <Relative at={group.lastAt} />
        </span>
        <Help group={group} />
      </div>
    </div>
  ),
};

function Reason({ group }: { readonly group: Group }) {
  return (
    <span className={isOfCancelled(group) ? "two-lines cancelled" : "two-lines"}>
      <To to={groupPath(group)}>
        <Text of={group.messagePattern ?? group.message} />
      </To>
      <span className="code quiet">
        {isOfCancelled(group) ? "cancelled, not failed" : visible(group.code)}{" "}
        {group.newSince !== null && <NewSince of={group.newSince} />}
      </span>
    </span>
  );
}

/** A commit is known by its beginning. */
const VERSION_SHOWN = 12;

/** The version; over it, since when its workers run. */
function NewSince({ of: { version, at } }: { readonly of: NonNullable<Group["newSince"]> }) {
  const shown = version.length > VERSION_SHOWN ? `${version.slice(0, VERSION_SHOWN)}…` : version;
  return (
    <span className="tag" title={`${version}, since ${instant(at)} ${viewersZone()}`}>
      new since {shown}
    </span>
  );
}

/** What helps a group's jobs. */
function Help({ group }: { readonly group: Group }) {
  const retry = useRetryDialog();
  const mayRetry = useMay("operate");
  if (group.code === IN_DOUBT) return <To to="/doubts">Resolve them</To>;
  if (!mayRetry) return null;
  return (
    <Button
      className="button small"
      aria-label={visible(`Retry all ${group.code} of ${group.type}`)}
      onPress={() => retry(planFor([group], true))}
    >
      Retry…
    </Button>
  );
}
