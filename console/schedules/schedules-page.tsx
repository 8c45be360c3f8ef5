import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { Words } from "../parts/filter-fields.tsx";
import { viewersZone } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { NewSchedule } from "./put-schedule.tsx";
import { schedulesQuery } from "./queries.ts";
import { ScheduleTable } from "./schedule-table.tsx";
import { TickKey } from "./tick-strip.tsx";
import "./schedules.css";

/** The schedules: those that the application declares, and those that were put at run time. */
export function SchedulesPage() {
  const [prefix, setPrefix] = useState("");
  const schedules = useInfiniteQuery(schedulesQuery(prefix));
  const { data = [], hasNextPage, isFetchingNextPage, fetchNextPage } = schedules;
  const hasFilter = prefix !== "" || data.some(({ stored }) => stored !== null);
  return (
    <Page
      title="Schedules"
      lead={`Jobs that run by the clock. Your zone is ${viewersZone()}.`}
      guide="schedules.md"
      actions={<NewSchedule />}
    >
      {hasFilter && <Words label="Name begins with" value={prefix} onChange={setPrefix} />}
      <Loaded query={schedules}>
        {(found) =>
          found.length === 0 ? (
            <Empty title={prefix === "" ? "There is no schedule." : "No schedule's name begins so."}>
              Schedules are declared in the application's code, or put at run time.
            </Empty>
          ) : (
            <>
              <TickKey ticks={found.flatMap(({ past }) => past)} />
              <ScheduleTable schedules={found} />
            </>
          )
        }
      </Loaded>
      {hasNextPage && (
        <Button className="button" isDisabled={isFetchingNextPage} onPress={() => void fetchNextPage()}>
          Show more
        </Button>
      )}
    </Page>
  );
}
