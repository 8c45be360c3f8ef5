import { useQuery } from "@tanstack/react-query";
import { viewersZone } from "../parts/format.ts";
import { Page } from "../parts/page.tsx";
import { Empty, Loaded } from "../parts/states.tsx";
import { schedulesQuery } from "./queries.ts";
import { ScheduleCard } from "./schedule-card.tsx";
import "./schedules.css";

/** The schedules. */
export function SchedulesPage() {
  const schedules = useQuery(schedulesQuery());
  return (
    <Page title="Schedules" lead={`Jobs that run by the clock. Your zone is ${viewersZone()}.`}>
      <Loaded query={schedules}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="No schedule is declared.">Schedules are declared in the application's code.</Empty>
          ) : (
            <div className="schedules">
              {found.map((schedule) => (
                <ScheduleCard key={schedule.name} schedule={schedule} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}
