import { Bar } from "../parts/bar.tsx";
import { bytes, duration } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import type { RedisOverview } from "../service/answers.ts";

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

/** Version, response time, memory and durability of Redis. */
export function RedisFacts({ store, isStale }: { readonly store: RedisOverview } & Known) {
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
      <dt>Durability</dt>
      <dd>
        <Text of={durability} />
        <span className="quiet-note">
          {isBroken ? "Required, but this Redis does not give it." : survives[durability.replace(/:.*/, "")]}
        </span>
      </dd>
    </dl>
  );
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
