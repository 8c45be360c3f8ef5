import type { Feature } from "../../core/feature.ts";
import type { WayIn } from "../../core/submit/points.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { debounceSchema } from "./debounce.ts";
import { createDebouncedAdder, withReplacer } from "./debounced-adder.ts";

const wayIn: WayIn = {
  option: "debounce",
  createAdder: createDebouncedAdder,
  onRepeat: withReplacer,
};

/** Of several submissions in a row, only the latest runs. */
export const debounce: Feature = {
  name: "debounce",
  options: {
    debounce: debounceSchema.optional().meta({
      description:
        "While a job of the same type and debounce key waits that no worker has begun, this submission replaces its payload and options, and makes it wait anew. Excludes delayMs and runAt.",
      examples: [{ key: "document-7", ms: 5_000, maxMs: 60_000 }],
    }),
  },
  contentOf: ({ debounce }) => (debounce === undefined ? {} : { debounce }),
  partOf({ type }, _payload, { debounce, delayMs, runAt }) {
    if (debounce === undefined) return undefined;
    if (delayMs !== undefined || runAt !== undefined)
      throw excluded(runAt === undefined ? "delayMs" : "runAt");
    const { key, ms, maxMs = "-" } = debounce;
    return {
      delayMs: ms,
      wayIn,
      // 128 bits: a collision would lose a job.
      travel: (hash) => ({ extras: { debounce: `${hash("debounce", `${type}\0${key}`, 32)} ${maxMs}` } }),
    };
  },
};

function excluded(name: string) {
  const message = `expected either options.debounce or options.${name}, got both`;
  return malformed([{ pointer: `/options/${name}`, message }]);
}
