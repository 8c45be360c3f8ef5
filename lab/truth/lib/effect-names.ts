/**
 * `as is`: as a new user uses the library. `as documented`: as its page in the docs says. `every classifier`: so, and each classifier is
 * believed. `control`: as is, with the old default. `old rule`: with every classifier, by a build that believes an error whatever was seen.
 */
export const modes = ["as is", "as documented", "every classifier", "control", "old rule"] as const;
export type Mode = (typeof modes)[number];

/** Those that must fail. */
export const controls: ReadonlySet<Mode> = new Set<Mode>(["control", "old rule"]);

/** Of effects; the short one is for downstreams that are slower than that. */
export const EFFECT_TIMEOUT_MS = { long: 6_000, short: 600 };

/** @param isShort whether it has the short time-out */
export function effectName(library: string, mode: Mode, isShort: boolean): string {
  return [library, ...mode.split(" "), ...(isShort ? ["short"] : [])].join("-");
}
