import { Button } from "react-aria-components";
import { useSearchParams } from "wouter";
import { ActOnFilter } from "../acts/act-on-filter.tsx";
import type { FilteredAct } from "../acts/queries.ts";
import { jobFields } from "../parts/filters.ts";
import { count } from "../parts/format.ts";
import { LongTable } from "../parts/long-table.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { TimeOfDay } from "../parts/time.tsx";
import type { JobPage } from "../service/answers.ts";
import { jobLook } from "./job-columns.tsx";
import { JobFilters } from "./job-filters.tsx";
import { exportUrl, type JobFilter } from "./queries.ts";
import { foundText, useJobList } from "./use-job-list.ts";
import "./jobs.css";

type Filter = JobFilter & { readonly order: string };

const members = [...jobFields.map(({ name }) => name), "idempotencyKey", "order"] as const;

/** All jobs that Redis still has, with search and filters. */
export function JobsPage() {
  const [filter, change, clear] = useFilter();
  const { list, jobs, scanned, isPausing, searchFurther, more } = useJobList(filter);
  const { order, ...wanted } = filter;
  const isFiltered = Object.values(wanted).some((value) => value !== "");
  return (
    <Page title="Jobs" isFilling>
      <JobFilters filter={filter} onChange={change} />
      <div className="list-head">
        <p role="status">
          {list.data !== undefined && (
            <>
              {foundText(jobs.length, scanned, list.hasNextPage)}, as of <TimeOfDay at={list.dataUpdatedAt} />
            </>
          )}
          {kindsText(list.data?.kinds)}
          {list.data?.mayMiss && "; jobs that moved meanwhile may be missing: refresh"}
        </p>
        {isPausing && (
          <Button className="button small" onPress={searchFurther}>
            Search further
          </Button>
        )}
        {isFiltered && (
          <Button className="button small" onPress={clear}>
            Clear filters
          </Button>
        )}
        <select aria-label="Order" value={order} onChange={({ target }) => change({ order: target.value })}>
          <option value="">usual order</option>
          <option value="newest">newest first</option>
          <option value="oldest">oldest first</option>
        </select>
        <Button className="button small" onPress={() => void list.refetch()}>
          Refresh
        </Button>
        {isFiltered &&
          actsOn(filter).map((act) => <ActOnFilter key={act} act={act} filter={{ ...filter }} />)}
        {(["csv", "ndjson"] as const).map((format) => (
          <a key={format} className="button small" href={exportUrl(wanted, format)} download>
            Export {format.toUpperCase()}
          </a>
        ))}
      </div>
      <Loaded query={list}>
        {() => (
          <LongTable
            label="Jobs"
            look={jobLook}
            rows={jobs}
            more={more}
            empty={<NoJobs isFiltered={isFiltered} searched={list.hasNextPage ? scanned : null} />}
          />
        )}
      </Loaded>
    </Page>
  );
}

/** What BullMQ's state failed is to people, where it is more than one thing. */
function kindsText(kinds: NonNullable<JobPage["total"]>["kinds"]): string {
  if (kinds === undefined) return "";
  const { failed, cancelled, failedInDoubt, isFailedExact } = kinds;
  const some = [
    [failed, "failed"],
    [cancelled, "cancelled"],
    [failedInDoubt, "in doubt"],
  ] as const;
  const present = some.filter(([jobs]) => jobs > 0).map(([jobs, what]) => `${count(jobs)} ${what}`);
  return present.length < 2 ? "" : `; ${isFailedExact ? "" : "at least "}${present.join(", ")}`;
}

/** What can be done to all jobs of a list. */
function actsOn({ state }: JobFilter): readonly FilteredAct["act"][] {
  if (state === "failed") return ["retry", "delete"];
  if (state === "completed") return ["delete"];
  return state === "" ? ["retry", "cancel"] : ["cancel"];
}

interface NoJobsProps {
  readonly isFiltered: boolean;
  /** How many jobs were searched so far; null if all were. */
  readonly searched: number | null;
}

function NoJobs({ isFiltered, searched }: NoJobsProps) {
  if (searched !== null) return <Empty title={`None among the first ${count(searched)} jobs.`} />;
  return isFiltered ? (
    <Empty title="No job matches.">Retention may have removed it, or its key is another one.</Empty>
  ) : (
    <Empty title="No job yet.">Submit one, and it appears here.</Empty>
  );
}

/** The filter is in the address, so that it can be shared. */
function useFilter() {
  const [params, setParams] = useSearchParams();
  const filter = Object.fromEntries(members.map((name) => [name, params.get(name) ?? ""])) as Filter;
  const change = (changes: Partial<Filter>) => {
    const wanted = Object.entries({ ...filter, ...changes }).filter(([, value]) => value !== "");
    setParams(new URLSearchParams(wanted));
  };
  return [filter, change, () => setParams(new URLSearchParams())] as const;
}
