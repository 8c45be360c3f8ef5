import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "wouter";
import { addressOf } from "../jobs/queries.ts";
import { count, counted } from "../parts/format.ts";
import { JobLink, Text, To } from "../parts/link.tsx";
import { StateMark } from "../parts/mark.tsx";
import { Page, Section } from "../parts/page.tsx";
import { Empty, Loaded, Loading } from "../parts/states.tsx";
import { Relative } from "../parts/time.tsx";
import type { ListedJob } from "../service/answers.ts";
import { type Found, foundQuery, type SearchFilter } from "./queries.ts";
import "../jobs/jobs.css";

/** As the service's: other texts are no tags. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,63}$/;
const PART_MAX = 200;
/** No searchable value is longer. */
const VALUE_MAX = 255;

/** The jobs that a text may mean. All parts appear at once: a later one must not move what is read. */
export function SearchPage() {
  const [params] = useSearchParams();
  const text = (params.get("q") ?? "").trim();
  const isTag = TAG.test(text);
  const byKey = useQuery({ ...foundQuery({ idempotencyKey: text }), enabled: text !== "" });
  const isValue = text !== "" && text.length <= VALUE_MAX;
  const byValue = useQuery({ ...foundQuery({ search: text }), enabled: isValue });
  const byTag = useQuery({ ...foundQuery({ tag: text }), enabled: isTag });
  if (text === "")
    return (
      <Page title="Search">
        {<Empty title="Type an id, a key, a searchable value, a tag or an error." />}
      </Page>
    );
  return (
    <Page title={`Search: ${text}`} tab="Search">
      {byKey.isLoading || byValue.isLoading || byTag.isLoading ? (
        <Loading />
      ) : (
        <>
          <Results
            title="With this key"
            filter={{ idempotencyKey: text }}
            found={byKey}
            none="No job has exactly this key."
          />
          {isValue && (
            <Results
              title="With this value"
              filter={{ search: text }}
              found={byValue}
              none="No job has this value in a searchable field."
            />
          )}
          {isTag && (
            <Results title="With this tag" filter={{ tag: text }} found={byTag} none="No job has this tag." />
          )}
          {text.length <= PART_MAX && <InParts text={text} />}
        </>
      )}
    </Page>
  );
}

/** Links, because for these many jobs are read. */
function InParts({ text }: { readonly text: string }) {
  return (
    <>
      <Section title="In a part of the key">
        <p className="quiet">
          Every job is read for that.{" "}
          <To to={`/jobs${addressOf({ keyPart: text })}`}>Jobs whose key contains it</To>
        </p>
      </Section>
      <Section title="In error texts">
        <p className="quiet">
          Every failed job is read for that.{" "}
          <To to={`/jobs${addressOf({ state: "failed", errorText: text })}`}>
            Failed jobs whose error contains it
          </To>
        </p>
      </Section>
    </>
  );
}

interface ResultsProps {
  readonly title: string;
  readonly filter: SearchFilter;
  readonly found: UseQueryResult<Found, Error>;
  readonly none: string;
}

function Results({ title, filter, found, none }: ResultsProps) {
  return (
    <Section title={title} aside={found.data !== undefined && totalText(found.data)}>
      <Loaded query={found}>
        {({ jobs, total }) =>
          jobs.length === 0 ? (
            <Empty title={none} />
          ) : (
            <>
              <ul className="found">
                {jobs.map((job) => (
                  <FoundJob key={job.id} job={job} />
                ))}
              </ul>
              {total.count > jobs.length && (
                <To to={`/jobs${addressOf(filter)}`}>All {count(total.count)}, with filters and export</To>
              )}
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function FoundJob({ job }: { readonly job: ListedJob }) {
  return (
    <li>
      <JobLink id={job.id}>
        <Text of={job.idempotencyKey} />
      </JobLink>
      <Text of={job.type} />
      <StateMark job={job} />
      <span className="quiet">
        <Relative at={job.submittedAt} />
      </span>
    </li>
  );
}

function totalText({ total: { count: jobs, isExact } }: Found): string {
  return isExact ? counted(jobs, "job") : `at least ${counted(jobs, "job")}`;
}
