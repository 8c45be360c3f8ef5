import { Bar } from "../parts/bar.tsx";
import { bytes, count, duration } from "../parts/format.ts";
import { Text, To } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import type { QueueOverview, RedisOverview } from "../service/answers.ts";

/** What an accepted job survives. */
const survives: Readonly<Record<string, string>> = {
  memory: "Accepted jobs are lost if Redis restarts.",
  disk: "Accepted jobs survive a crash of Redis and of its machine.",
  replica: "Accepted jobs survive the loss of Redis's machine.",
};

interface Known {
  /** Whether these are the last known values. */
  readonly isStale: boolean;
}

interface FactsProps extends Known {
  /** Whether work is refused, whatever its settings. */
  readonly isRefusing: boolean;
  readonly store: RedisOverview;
  readonly queues: readonly QueueOverview[];
}

/** Version, response time, memory and durability of Redis. */
export function RedisFacts({ store, queues, isStale, isRefusing }: FactsProps) {
  const { version, usedBytes, maxBytes, pingMs, durability } = store;
  const isBroken = store.guarantees.some(({ holds }) => !holds);
  return (
    <dl className="facts">
      <dt>Version</dt>
      <dd>
        <Text of={version} />
      </dd>
      <dt>{isStale ? "Last answered in" : "Answers in"}</dt>
      <dd>{duration(pingMs)}</dd>
      <dt>Memory</dt>
      <dd>
        {bytes(usedBytes)}{" "}
        {maxBytes === null ? <span className="quiet">without a limit</span> : `of ${bytes(maxBytes)}`}
        {maxBytes !== null && <Bar value={usedBytes} of={maxBytes} />}
      </dd>
      <dt>Jobs kept</dt>
      <dd>
        <Kept queues={queues} />
      </dd>
      <dt>Durability</dt>
      <dd>
        <Text of={durability} />
        <span className="quiet-note">{survival(durability, isBroken, isRefusing)}</span>
      </dd>
    </dl>
  );
}

function survival(durability: string, isBroken: boolean, isRefusing: boolean): string | undefined {
  if (isBroken) return "Required, but this Redis does not give it.";
  return isRefusing ? "Required; but work is refused now." : survives[durability.replace(/:.*/, "")];
}

/** What fills Redis, as a way to it. */
function Kept({ queues }: Pick<FactsProps, "queues">) {
  const sum = (of: "completed" | "failed" | "cancelled") =>
    queues.reduce((total, queue) => total + queue[of], 0);
  const cancelled = sum("cancelled");
  return (["completed", "failed"] as const).map((state, index) => (
    <span key={state}>
      {index > 0 && ", "}
      <To to={`/jobs?state=${state}`}>
        {count(sum(state))} {state}
      </To>
      {state === "failed" && cancelled > 0 && (
        <span className="quiet-note">{count(cancelled)} of the failed ones were cancelled</span>
      )}
    </span>
  ));
}

/** The guarantees that this Redis allows now. */
export function Guarantees({ guarantees, isStale }: Pick<RedisOverview, "guarantees"> & Known) {
  return (
    <ul className="guarantees">
      {guarantees.map(({ name, holds, detail }) => (
        <li key={name}>
          <Mark of={isStale ? "unknown" : holds ? "holds" : "broken"} text={name} />
          {isStale && <span className="spoken">: not known now.</span>}
          {!isStale && !holds && <span className="spoken">: does not hold.</span>}
          <Text of={detail} />
        </li>
      ))}
    </ul>
  );
}
