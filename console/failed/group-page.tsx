import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { failureLook } from "../jobs/job-columns.tsx";
import { foundText, useJobList } from "../jobs/use-job-list.ts";
import { count } from "../parts/format.ts";
import { Text, To } from "../parts/link.tsx";
import { LongTable } from "../parts/long-table.tsx";
import { IN_DOUBT } from "../parts/mark.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { useNeedsPerson } from "../service/live.tsx";
import { useMay } from "../service/session.ts";
import { useFreshOn } from "../service/use-fresh-on.ts";
import { failuresQuery, type Group, groupPath, planFor, type Reason } from "./groups.ts";
import type { ChosenJob } from "./retry.ts";
import { useRetryDialog } from "./retry-dialog.tsx";
import "../jobs/jobs.css";

/** The failed jobs of one type and reason: retry one, some, or all. */
export function GroupPage(reason: Reason) {
  const { type, code, messagePattern } = reason;
  const failures = useQuery(failuresQuery());
  useFreshOn(useNeedsPerson().failed, failuresQuery().queryKey);
  const { list, jobs, scanned, isPausing, searchFurther, more } = useJobList({
    type,
    state: "failed",
    code,
    ...(messagePattern !== null && { messagePattern }),
  });
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const mayRetry = useMay("operate");
  const group = failures.data?.groups.find((found) => groupPath(found) === groupPath(reason));
  const chosen = jobs.filter(({ id }) => ids.has(id));
  const empty = list.hasNextPage ? `None among the first ${count(scanned)} failed jobs.` : "None left.";
  return (
    <Page title={code} isFilling lead={<Lead reason={reason} group={group} />}>
      <div className="list-head">
        <p role="status">{list.data !== undefined && foundText(jobs.length, scanned, list.hasNextPage)}</p>
        {isPausing && (
          <Button className="button small" onPress={searchFurther}>
            Search further
          </Button>
        )}
        {code === IN_DOUBT && <To to="/doubts">Resolve them</To>}
        {code !== IN_DOUBT && mayRetry && (
          <RetryButtons
            name={`${type}: ${code}`}
            chosen={chosen}
            group={group}
            isComplete={failures.data?.isComplete ?? false}
          />
        )}
      </div>
      <Loaded query={list}>
        {() => (
          <LongTable
            label="Jobs that failed for this reason"
            look={failureLook}
            rows={jobs}
            selection={mayRetry ? { ids, onChange: setIds } : undefined}
            more={more}
            empty={<Empty title={empty} />}
          />
        )}
      </Loaded>
    </Page>
  );
}

function Lead({ reason, group }: { readonly reason: Reason; readonly group: Group | undefined }) {
  return (
    <>
      <To to="/failed">All failures</To> · <Text of={reason.type} />
      {reason.messagePattern !== null && (
        <>
          {" · "}
          <Text of={reason.messagePattern} />
        </>
      )}
      {group !== undefined && (
        <>
          {" · latest: "}
          <Text of={group.message} />
        </>
      )}
    </>
  );
}

interface RetryButtonsProps {
  readonly name: string;
  readonly chosen: readonly ChosenJob[];
  readonly group: Group | undefined;
  readonly isComplete: boolean;
}

function RetryButtons({ name, chosen, group, isComplete }: RetryButtonsProps) {
  const retry = useRetryDialog();
  const retryChosen = () =>
    retry({
      parts: [{ name, count: chosen.length, select: { chosen } }],
      isAtLeast: false,
      inDoubt: 0,
      cancelled: 0,
    });
  return (
    <>
      <Button className="button" isDisabled={chosen.length === 0} onPress={retryChosen}>
        Retry {chosen.length === 0 ? "selected" : `${count(chosen.length)} selected`}…
      </Button>
      <Button
        className="button"
        isDisabled={group === undefined}
        onPress={() => group !== undefined && retry(planFor([group], isComplete))}
      >
        Retry all{group !== undefined && ` ${count(group.count)}`}…
      </Button>
    </>
  );
}
