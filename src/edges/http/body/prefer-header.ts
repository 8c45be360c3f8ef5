/** Longer headers are ignored. */
const HEADER_MAX = 1_024;
const WAIT_MAX_S = 60;

const entries = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g;
const waitEntry = /^\s*wait\s*(?:[=;]|$)/i;
const waitValue = /^[^=]*=\s*(?:(\d+)|"(\d+)")\s*(?:;|$)/;

/**
 * Reads `Prefer: wait=N` (RFC 7240).
 *
 * @returns seconds, at most 60; undefined if there is no valid `wait`
 */
export function preferredWaitSeconds(prefer: string | readonly string[] | undefined): number | undefined {
  if (prefer === undefined || prefer.length > HEADER_MAX) return undefined;
  // The first one counts (RFC 7240).
  const entry = String(prefer)
    .match(entries)
    ?.find((text) => waitEntry.test(text));
  const [, bare, quoted = bare] = waitValue.exec(entry ?? "") ?? [];
  return quoted === undefined ? undefined : Math.min(Number(quoted), WAIT_MAX_S);
}
