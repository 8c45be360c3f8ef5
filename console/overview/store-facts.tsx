import { bytes, duration } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { Mark } from "../parts/mark.tsx";
import type { StoreOverview } from "../service/answers.ts";

/** How the store is, and which guarantees hold with it. */
export function StoreFacts({ store }: { readonly store: StoreOverview }) {
  const { version, usedBytes, maxBytes, pingMs, durability, guarantees } = store;
  const broken = guarantees.filter(({ holds }) => !holds);
  return (
    <>
      <dl className="facts">
        <dt>Version</dt>
        <dd>
          <Text of={version} />
        </dd>
        <dt>Answers in</dt>
        <dd>{duration(pingMs)}</dd>
        <dt>Memory</dt>
        <dd>
          {bytes(usedBytes)}{" "}
          {maxBytes === null ? <span className="quiet">without limit</span> : `of ${bytes(maxBytes)}`}
          {maxBytes !== null && <meter aria-label="Memory used" min={0} max={maxBytes} value={usedBytes} />}
        </dd>
        <dt>Durability</dt>
        <dd>
          <Text of={durability} />
        </dd>
      </dl>
      <details className="guarantees" open={broken.length > 0}>
        <summary>
          {broken.length === 0
            ? `All ${guarantees.length} guarantees hold`
            : `${broken.length} of ${guarantees.length} guarantees do not hold`}
        </summary>
        <ul>
          {guarantees.map(({ name, holds, detail }) => (
            <li key={name}>
              <Mark of={holds ? "holds" : "broken"} text={name} />
              <Text of={detail} />
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}
