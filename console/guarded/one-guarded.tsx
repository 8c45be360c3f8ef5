import { useQuery } from "@tanstack/react-query";
import { outgoingText } from "../../src/evidence/outgoing/outgoing-text.ts";
import { ResolveButton } from "../doubts/resolve-dialog.tsx";
import { Timeline } from "../jobs/life.tsx";
import { Copy } from "../parts/copy.tsx";
import { Json } from "../parts/json.tsx";
import { Text, To } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import { Page, Section } from "../parts/page.tsx";
import { Empty, Loaded, ProblemNote } from "../parts/states.tsx";
import { Instant } from "../parts/time.tsx";
import { codeOf } from "../service/problem.ts";
import { lifeOf } from "./life-of.ts";
import { type GuardedDetail, oneGuardedQuery } from "./queries.ts";
import "../jobs/jobs.css";

/** What is known of one guarded effect. */
export function OneGuarded({ id }: { readonly id: string }) {
  const guarded = useQuery(oneGuardedQuery(id));
  const found = guarded.data;
  const title = found?.idempotencyKey ?? "Guarded effect";
  return (
    <Page
      title={title}
      tab={found === undefined ? title : `${title} · ${found.effect}`}
      lead={
        <>
          {found !== undefined && <Text of={found.effect} />} <Text of={id} isCode />{" "}
          <Copy text={id} what="The id" />
        </>
      }
      actions={found?.state === "in-doubt" && <ResolveButton jobId={id} effect={found.effect} isMain />}
    >
      {codeOf(guarded.error) === "JOB_NOT_FOUND" ? (
        <ProblemNote thrown={guarded.error}>
          <p>
            It did not happen, or it is forgotten. <To to="/guarded">See all guarded effects</To>
          </p>
        </ProblemNote>
      ) : (
        <Loaded query={guarded}>{(effect) => <Effect of={effect} />}</Loaded>
      )}
    </Page>
  );
}

function Effect({ of: effect }: { readonly of: GuardedDetail }) {
  const { state, by, about, worker, effectKey, reason, result } = effect;
  return (
    <div className="job">
      <dl className="facts job-facts">
        <div>
          <dt>State</dt>
          <dd>
            <Mark of={state} />
          </dd>
        </div>
        <Fact name="About" text={about} />
        <Fact name="Asked by" text={by} />
        <Fact name="Process" text={worker} />
        <div>
          <dt>Key downstream</dt>
          <dd>
            <Text of={effectKey} isCode /> <Copy text={effectKey} what="The key downstream" />
          </dd>
        </div>
      </dl>
      {reason !== null && (
        <section className="problem job-error in-doubt" aria-label="Why nobody knows">
          <div>
            <p className="problem-title">
              <Text of={reason} />
            </p>
            <p className="quiet">
              Resolve it: after “done” each call gets the result, after “not done” the next call runs it.
            </p>
          </div>
        </section>
      )}
      <Section title="Life" className="life">
        <Timeline moments={lifeOf(effect)} resolve={() => null} />
      </Section>
      <div className="job-data">
        <Section title="What it sent">
          <Sent of={effect.sent} />
        </Section>
        <Section title="Result" aside={result !== null && <Copy text={result} what="The result" />}>
          {result === null ? (
            <Empty title={state === "done" ? "None is kept." : "None yet."} />
          ) : (
            <Json value={parsed(result)} label="Result" />
          )}
        </Section>
      </div>
    </div>
  );
}

function Fact({ name, text }: { readonly name: string; readonly text: string | null }) {
  if (text === null) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <Text of={text} />
      </dd>
    </div>
  );
}

function Sent({ of }: { readonly of: GuardedDetail["sent"] }) {
  if (of.length === 0)
    return <Empty title="Nothing was seen.">That does not mean that nothing was sent.</Empty>;
  return (
    <ol>
      {of.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two can be alike, and none moves
        <li key={at} className="moment">
          <Text of={outgoingText(one)} />{" "}
          <span className="quiet">
            <Instant at={one.at} />
          </span>
        </li>
      ))}
    </ol>
  );
}

/** A text that is no JSON says why there is none. */
function parsed(result: string): unknown {
  try {
    return JSON.parse(result);
  } catch {
    return result;
  }
}
