import { count } from "./format.ts";

const HEIGHT = 12;

/** How many of something there were in each hour, the oldest hour first. */
export function Trend({ hours }: { readonly hours: readonly number[] }) {
  const most = Math.max(1, ...hours);
  const total = hours.reduce((sum, hour) => sum + hour, 0);
  const words = `${count(total)} in the last ${hours.length} hours, ${count(hours.at(-1) ?? 0)} of them in the last one`;
  return (
    <svg
      className="trend"
      viewBox={`0 0 ${hours.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={words}
    >
      <title>{words}</title>
      {hours.map((hour, index) => {
        const height = hour === 0 ? 0.5 : Math.max(1.5, (hour / most) * HEIGHT);
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: an hour is its place
            key={index}
            className={hour === 0 ? "none" : ""}
            x={index + 0.1}
            y={HEIGHT - height}
            width="0.8"
            height={height}
          />
        );
      })}
    </svg>
  );
}
