/** `as is`: as a new user uses the library. `as documented`: as its page in the docs says. `control`: as is, with the old default. */
export type Mode = "as is" | "as documented" | "control";

/** Of effects; the short one is for downstreams that are slower than that. */
export const EFFECT_TIMEOUT_MS = { long: 6_000, short: 600 };

/** @param isShort whether it has the short time-out */
export function effectName(library: string, mode: Mode, isShort: boolean): string {
  return [library, ...mode.split(" "), ...(isShort ? ["short"] : [])].join("-");
}
