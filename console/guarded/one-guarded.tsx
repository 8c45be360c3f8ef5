import { useQuery } from "@tanstack/react-query";
import { outgoingText } from "../../src/evidence/outgoing/outgoing-text.ts";
import { ResolveButton } from "../doubts/resolve-dialog.tsx";
import { Timeline } from "../jobs/life.tsx";
import { Copy } from "../parts/copy.tsx";
import { DetailPage, Fact } from "../parts/detail-page.tsx";
import { Json } from "../parts/json.tsx";
import { Text, To } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import { Section } from "../parts/page.tsx";
import { Empty } from "../parts/states.tsx";
import { Instant } from "../parts/time.tsx";
import { lifeOf } from "./life-of.ts";
import { type GuardedDetail, oneGuardedQuery } from "./queries.ts";
import "../jobs/jobs.css";

/** What is known of one guarded effect. */
export function OneGuarded({ id }: { readonly id: string }) {
  return (
    <DetailPage
      id={id}
      title="Guarded effect"
      query={useQuery(oneGuardedQuery(id))}
      nameOf={({ idempotencyKey, effect }) => ({ idempotencyKey, kind: effect })}
      actions={({ state, effect }) =>
        state === "in-doubt" && <ResolveButton jobId={id} effect={effect} isMain />
      }
      ifUnknown={
        <>
          It did not happen, or it is forgotten. <To to="/guarded">See all guarded effects</To>
        </>
      }
    >
      {(effect) => <Effect of={effect} />}
    </DetailPage>
  );
}

function Effect({ of: effect }: { readonly of: GuardedDetail }) {
  const { state, by, about, worker, effectKey, reason, result } = effect;
  return (
    <div className="job">
      <dl className="facts job-facts">
        <Fact name="State">
          <Mark of={state} />
        </Fact>
        <TextFact name="About" text={about} />
        <TextFact name="Asked by" text={by} />
        <TextFact name="Process" text={worker} />
        <Fact name="Key downstream">
          <Text of={effectKey} isCode /> <Copy text={effectKey} what="The key downstream" />
        </Fact>
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

function TextFact({ name, text }: { readonly name: string; readonly text: string | null }) {
  return (
    text !== null && (
      <Fact name={name}>
        <Text of={text} />
      </Fact>
    )
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
