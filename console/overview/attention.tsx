import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { outboxQuery } from "../outbox/queries.ts";
import { count, duration, rate } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { Text, To } from "../parts/link.tsx";
import type { PauseAct } from "../parts/pause.tsx";
import { Age } from "../parts/time.tsx";
import { visible } from "../parts/visible.ts";
import type { Overview, TypeOverview } from "../service/answers.ts";
import { useNow } from "../service/clock.ts";
import { refusesWork } from "../service/live.tsx";
import { useMay } from "../service/session.ts";
import { LetGo } from "./let-go.tsx";
import { type Need, needsOf, oldest, sum, waitingIn } from "./needs.ts";
import { QueuePause } from "./queue-hand.tsx";
import { QuietWindow } from "./quiet-worker.tsx";

interface Props {
  readonly overview: Overview;
  readonly isStale: boolean;
}

/** Whether all is well, what needs a person, and what is slow. */
export function Attention({ overview, isStale }: Props) {
  const now = useNow();
  const parked = useQuery({ ...outboxQuery(), enabled: overview.hasOutbox }).data?.parked ?? 0;
  // Old problems may be mended.
  const needs = needsOf(isStale ? { ...overview, problems: [] } : overview, parked, now);
  const { icon, tone, text } = stateOf(needs, isStale);
  return (
    <section className={`section attention ${tone}`} aria-label="Needs attention">
      {/* Always in the page, so that screen readers announce it. */}
      <p role="status" className="state">
        <Icon of={icon} /> <b>{text}</b>
      </p>
      <Doing overview={overview} />
      {needs.length > 0 && (
        <ul className="needs">
          {needs.map((need) => (
            <NeedRow key={need.id} need={need} />
          ))}
        </ul>
      )}
    </section>
  );
}

function stateOf(needs: readonly Need[], isStale: boolean) {
  const problems = needs.flatMap(({ problem }) => problem ?? []);
  const things = needs.length === 1 ? "1 thing needs you" : `${count(needs.length)} things need you`;
  if (isStale) return { icon: "late", tone: "unknown", text: "Not known now" } as const;
  if (problems.some(refusesWork))
    return { icon: "alert", tone: "bad", text: `Work is refused; ${things}` } as const;
  if (problems.length > 0)
    return { icon: "alert", tone: "bad", text: `Something is wrong; ${things}` } as const;
  if (needs.length > 0)
    return { icon: "circle-check", tone: "well", text: `Work goes on; ${things}` } as const;
  return { icon: "circle-check", tone: "well", text: "All is well" } as const;
}

interface JobsProps {
  readonly many: number;
  readonly state: string;
  readonly is: string;
}

/** What is zero is quiet, and leads nowhere. */
function Jobs({ many, state, is }: JobsProps) {
  const text = `${count(many)} ${is}`;
  return many === 0 ? <span className="quiet">{text}</span> : <To to={`/jobs?state=${state}`}>{text}</To>;
}

/** What waits, what runs, and what is slow, in a line. */
function Doing({ overview: { queues, types } }: Pick<Props, "overview">) {
  const waiting = sum(queues.map(waitingIn));
  const since = oldest(queues.map(({ oldestWaitingSince }) => oldestWaitingSince));
  const running = sum(queues.map(({ active }) => active));
  const completed = sum(queues.map(({ completedPerSecond }) => completedPerSecond));
  return (
    <p className="doing">
      <span>
        <Jobs many={waiting} state="waiting" is="waiting" />
        {since !== null && (
          <>
            , the oldest for <Age at={since} />
          </>
        )}
      </span>
      <span>
        <Jobs many={running} state="active" is="running" />
      </span>
      <span>{rate(completed)} completed a second</span>
      {slowest(types)}
    </p>
  );
}

/** A run of a second is not slow. */
const SLOW_MS = 1_000;

function slowest(types: readonly TypeOverview[]): ReactNode {
  const found = (["timeToStart", "runTime"] as const).flatMap((of) => {
    const [first] = types
      .flatMap(({ type, lastHour }) => ({ type, ms: lastHour[of].p99 ?? 0 }))
      .toSorted((one, other) => other.ms - one.ms);
    return first === undefined || first.ms < SLOW_MS ? [] : [{ of, ...first }];
  });
  if (found.length === 0) return null;
  return found.map(({ of, type, ms }) => (
    <span key={of} title="99 of 100 of its jobs in the last hour took no longer">
      {of === "timeToStart" ? "slowest to start: " : "longest run: "}
      <Text of={type} /> {duration(ms)}
    </span>
  ));
}

/** Where it says that a queue is paused. */
function Resume({ name, since }: { readonly name: string; readonly since: string | null }) {
  const [asked, ask] = useState<PauseAct | null>(null);
  if (!useMay("operate")) return null;
  return (
    <>
      <Button className="button small" aria-label={visible(`Resume ${name}`)} onPress={() => ask("resume")}>
        Resume…
      </Button>
      <QueuePause name={name} isPaused since={since} asked={asked} onClose={() => ask(null)} />
    </>
  );
}

/** Where it says that a worker is quiet. */
function Wake({ name, quiet }: NonNullable<Need["quiet"]>) {
  const [isOpen, setOpen] = useState(false);
  if (!useMay("operate")) return null;
  return (
    <>
      <Button className="button small" aria-label={visible(`Wake ${name}`)} onPress={() => setOpen(true)}>
        Wake…
      </Button>
      <QuietWindow name={name} quiet={quiet} asked={isOpen ? "wake" : null} onClose={() => setOpen(false)} />
    </>
  );
}

function NeedRow({ need }: { readonly need: Need }) {
  const { icon, tone, title, detail, since, problem, to, link, paused, curbed, quiet } = need;
  return (
    <li className={tone}>
      <Icon of={icon} />
      <div>
        <Text of={title} />
        {problem?.code != null && (
          <>
            {" "}
            <Text of={problem.code} isCode />
          </>
        )}
        {since != null && (
          <span className="quiet">
            {" "}
            for <Age at={since} />
          </span>
        )}
        {detail !== undefined && (
          <span className="quiet">
            {" · "}
            <Text of={detail} />
          </span>
        )}
        {problem !== undefined && problem.remedy !== "" && (
          <p className="remedy">
            <b>Remedy:</b> <Text of={problem.remedy} />
          </p>
        )}
      </div>
      {to !== undefined && <To to={to}>{link}</To>}
      {paused !== undefined && <Resume name={paused} since={since ?? null} />}
      {curbed !== undefined && <LetGo {...curbed} />}
      {quiet !== undefined && <Wake {...quiet} />}
    </li>
  );
}
