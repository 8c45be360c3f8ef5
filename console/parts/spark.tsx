import { count } from "./format.ts";

const HEIGHT = 16;

interface Props {
  /** What is counted in each step, the oldest first. */
  readonly steps: readonly number[];
  /** Says what they are, e.g. "completed in the last hour". */
  readonly what: string;
}

/** A line as small as a word. */
export function Spark({ steps, what }: Props) {
  const most = Math.max(1, ...steps);
  const total = steps.reduce((sum, step) => sum + step, 0);
  const words = `${count(total)} ${what}`;
  const points = steps.map(
    (step, index) => `${index},${(HEIGHT - 1 - (step / most) * (HEIGHT - 2)).toFixed(1)}`,
  );
  return (
    <svg
      className={total === 0 ? "spark none" : "spark"}
      viewBox={`0 0 ${Math.max(1, steps.length - 1)} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={words}
    >
      <title>{words}</title>
      <polyline points={points.join(" ")} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
