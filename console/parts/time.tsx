import { useNow } from "../service/clock.ts";
import { age, instant, relative, viewersZone } from "./format.ts";

interface At {
  /** ISO 8601. */
  readonly at: string;
}

/** How long ago or ahead an instant is, with the exact instant as tooltip. */
export function Relative({ at }: At) {
  const now = useNow();
  return (
    <time dateTime={at} title={exactly(at)}>
      {relative(Date.parse(at), now)}
    </time>
  );
}

/** The time since an instant. */
export function Age({ at }: At) {
  const now = useNow();
  return (
    <time dateTime={at} title={`since ${exactly(at)}`}>
      {age(now - Date.parse(at))}
    </time>
  );
}

/** An instant in the viewer's time zone. */
export function Instant({ at }: At) {
  return (
    <time dateTime={at} title={exactly(at)}>
      {instant(at)} {viewersZone()}
    </time>
  );
}

function exactly(at: string): string {
  return `${instant(at)} ${viewersZone()} (${at})`;
}
