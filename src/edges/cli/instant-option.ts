import { INSTANT_EXPECTED, instantOf } from "../../desk/jobs/instant.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/**
 * Milliseconds since 1970 of an option that is an instant, a day or an age.
 *
 * @param option its name without dashes
 * @param now Redis's clock, in milliseconds since 1970: ages count back from it
 * @throws HoldfastError `USAGE`
 */
export function readInstant(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const at = instantOf(text, now);
  if (at !== undefined) return at;
  throw new HoldfastError("USAGE", `--${option}: expected ${INSTANT_EXPECTED}, got "${text}"`);
}
