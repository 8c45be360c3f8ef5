import { useNow } from "../service/clock.ts";
import { age, datedInstant, instant, relative, timeOfDay, viewersZone } from "./format.ts";

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

/** The time of day of a near instant, in the viewer's time zone. */
export function TimeOfDay({ at }: { readonly at: string | number }) {
  const iso = new Date(at).toISOString();
  return (
    <time dateTime={iso} title={exactly(iso)}>
      {timeOfDay(at)} {viewersZone()}
    </time>
  );
}

/** An instant without seconds, in a time zone; by default the viewer's. */
export function DatedInstant({ at, timeZone = viewersZone() }: At & { readonly timeZone?: string }) {
  return (
    <time dateTime={at} title={exactly(at)}>
      {datedInstant(at, timeZone)} {timeZone}
    </time>
  );
}

/** With the viewer's time zone, and in UTC. */
export function exactly(at: string): string {
  return `${instant(at)} ${viewersZone()} (${at})`;
}
