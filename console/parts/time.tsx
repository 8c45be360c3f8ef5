import { useNow } from "../service/clock.ts";
import { age, instant, relative, viewersZone } from "./format.ts";

interface At {
  /** ISO 8601. */
  readonly at: string;
}

/** How long ago or ahead an instant is; the instant itself on hovering. */
export function Relative({ at }: At) {
  const now = useNow();
  return (
    <time dateTime={at} title={exactly(at)}>
      {relative(Date.parse(at), now)}
    </time>
  );
}

/** How long something has been so. */
export function Age({ at }: At) {
  const now = useNow();
  return (
    <time dateTime={at} title={`since ${exactly(at)}`}>
      {age(now - Date.parse(at))}
    </time>
  );
}

/** The instant itself, by the viewer's clock. */
export function Instant({ at }: At) {
  return (
    <time dateTime={at} title={exactly(at)}>
      {instant(at)}
    </time>
  );
}

function exactly(at: string): string {
  return `${instant(at)} ${viewersZone()} (${at})`;
}
