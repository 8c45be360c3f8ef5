import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { useLocation, useSearch } from "wouter";
import { Keys } from "./keys.tsx";
import { outboxQuery } from "./outbox/queries.ts";
import { useHasWindow } from "./parts/dialog.tsx";
import { count, counted, timeOfDay, viewersZone } from "./parts/format.ts";
import { To } from "./parts/link.tsx";
import { Page } from "./parts/page.tsx";
import { SIGN_IN_LEAD, SignInForm } from "./parts/sign-in-form.tsx";
import { TimeOfDay } from "./parts/time.tsx";
import type { Place } from "./search/palette.tsx";
import { SearchBox } from "./search/search-box.tsx";
import { type Live, refusesWork, useLive, useNeedsPerson } from "./service/live.tsx";
import { useSession } from "./service/session.ts";
import { SignedIn } from "./signed-in.tsx";

/** Its page reads it more often. */
const OUTBOX_EVERY_MS = 30_000;

/** The frame around every page. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const { isStale } = useLive();
  const { isAsked } = useSession();
  const items = useItems();
  // A window that covers the page asks itself, and keeps what was typed.
  const hasWindow = useHasWindow();
  if (isAsked && !hasWindow) return <SignIn />;
  return (
    <>
      <SkipLink />
      <header className="top">
        <To to="/" className="brand" label="Holdfast, overview">
          Holdfast
        </To>
        <Navigation items={items} />
        <SearchBox />
        <div className="top-end">
          <ProblemsMark />
          <LiveMark />
          <SignedIn />
        </div>
      </header>
      <Keys pages={items} />
      <AwayNote />
      <RefusedNote />
      <main id="main" className={isStale ? "stale" : ""} tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** Uses the whole address, because of the page's `<base>`. */
function SkipLink() {
  useLocation();
  useSearch();
  const { pathname, search } = window.location;
  return (
    <a className="skip" href={`${pathname}${search}#main`}>
      Skip to the page
    </a>
  );
}

interface Item extends Place {
  /** How many of something wait there for a person; null while that is not known. */
  readonly badge?: number | null | undefined;
  readonly of?: string;
  readonly ofMany?: string;
}

/** The pages, with what waits for a person there. */
function useItems(): Item[] {
  const { failed, inDoubt } = useNeedsPerson();
  const hasOutbox = useLive().overview?.hasOutbox === true;
  const parked = useQuery({ ...outboxQuery(), refetchInterval: OUTBOX_EVERY_MS, enabled: hasOutbox });
  const outbox = { to: "/outbox", text: "Outbox", badge: parked.data?.parked, of: "parked row" };
  return [
    { to: "/", text: "Overview" },
    { to: "/jobs", text: "Jobs" },
    { to: "/failed", text: "Failed", badge: failed, of: "failed job" },
    { to: "/doubts", text: "In doubt", badge: inDoubt, of: "effect in doubt", ofMany: "effects in doubt" },
    { to: "/guarded", text: "Guarded" },
    { to: "/schedules", text: "Schedules" },
    { to: "/acts", text: "Acts" },
    { to: "/notices", text: "Notices" },
    ...(hasOutbox ? [outbox] : []),
  ];
}

function Navigation({ items }: { readonly items: readonly Item[] }) {
  const [location] = useLocation();
  const list = useRef<HTMLUListElement>(null);
  const { isStale } = useLive();

  // biome-ignore lint/correctness/useExhaustiveDependencies: on a phone the list scrolls, and must show the current page
  useEffect(() => {
    const pages = list.current;
    pages?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    // Its padding, too: what fades at the edge is not the last page.
    if (pages?.lastElementChild?.querySelector("[aria-current]")) pages.scrollLeft = pages.scrollWidth;
  }, [location, items.length]);

  return (
    <nav aria-label="Pages" className={isStale ? "stale" : ""}>
      <ul ref={list}>
        {items.map(({ to, text, badge, of, ofMany }) => (
          <li key={to}>
            <To to={to} current={isUnder(location, to)}>
              {text}
              {badge != null && badge > 0 && (
                <span className={`badge ${to.slice(1)}`}>
                  <span aria-hidden="true">{short(badge)}</span>
                  <span className="spoken">, {counted(badge, of ?? "", ofMany)}</span>
                </span>
              )}
            </To>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function isUnder(location: string, to: string): boolean {
  return location === to || (to !== "/" && location.startsWith(`${to}/`));
}

/** A number short enough for a badge. */
function short(value: number): string {
  if (value < 10_000) return count(value);
  return value < 1_000_000
    ? `${count(Math.floor(value / 1_000))}k`
    : `${count(Math.floor(value / 1_000_000))}M`;
}

/** What is away, and since when. Always in the page, so that screen readers announce changes. */
function AwayNote() {
  const { away, overview } = useLive();
  const { isAsked } = useSession();
  return (
    <div className="away" role="status">
      {away !== null && !isAsked && (
        <p>
          <b>
            {away === "API" ? "The API" : "Redis"}{" "}
            {overview === null ? (
              "is away"
            ) : (
              <>
                has been away since <TimeOfDay at={overview.at} />
              </>
            )}
            .
          </b>{" "}
          {awayTexts[away]} {overview !== null && "What you see are the last known values."}
        </p>
      )}
    </div>
  );
}

const awayTexts = {
  API: "It does not answer.",
  Redis: "The API answers, but Redis does not.",
};

/** On every page but the overview, which has more of it. */
function RefusedNote() {
  const { isRefusing, problems } = useProblems();
  const [location] = useLocation();
  return (
    <div className="away" role="status">
      {isRefusing && location !== "/" && (
        <p>
          <b>Work is refused.</b> <To to="/">{counted(problems.length, "problem")}</To>
        </p>
      )}
    </div>
  );
}

/** What is wrong now; nothing while that is not known. */
function useProblems() {
  const { overview, isStale } = useLive();
  const problems = isStale || overview === null ? [] : overview.problems;
  return { problems, isRefusing: problems.some(refusesWork) };
}

/** Whether the page is live, and whether the service is well. */
function LiveMark() {
  const { tone, text } = describeLive(useLive());
  return (
    <p className={`live ${tone}`} role="status">
      {text}
    </p>
  );
}

/** What is wrong without refusing work. */
function ProblemsMark() {
  const { isRefusing, problems } = useProblems();
  if (isRefusing || problems.length === 0) return null;
  return (
    <To to="/" className="badge failed">
      {counted(problems.length, "problem")}
    </To>
  );
}

function describeLive({ overview, connection, refused, isStale }: Live): { tone: string; text: string } {
  if (refused !== null) return { tone: "off", text: "Not live" };
  if (overview === null) return { tone: "waiting", text: "Connecting" };
  if (isStale) return { tone: "off", text: `Stale since ${timeOfDay(overview.at)} ${viewersZone()}` };
  if (overview.problems.some(refusesWork)) return { tone: "off", text: "Work is refused" };
  return connection === "live" ? { tone: "on", text: "Live" } : { tone: "waiting", text: "Reconnecting" };
}

/** Asks for an API key, on a page without anything else. */
function SignIn() {
  return (
    <main className="alone">
      <p className="brand">Holdfast</p>
      <Page title="Sign in" lead={SIGN_IN_LEAD}>
        <SignInForm />
      </Page>
    </main>
  );
}
