/** What is longer than this is not taken apart. */
const HEADER_MAX = 1_024;
const WAIT_MAX_S = 60;

const entries = /(?:"(?:[^"\\]|\\.)*"|[^",])+/g;
const waitEntry = /^\s*wait\s*(?:[=;]|$)/i;
const waitValue = /^[^=]*=\s*(?:(\d+)|"(\d+)")\s*(?:;|$)/;

/**
 * Reads for how long a client wants to wait (`Prefer: wait=N`, RFC 7240).
 *
 * @returns seconds, 60 at most; undefined where it does not say so, or cannot be understood
 */
export function preferredWaitSeconds(prefer: string | readonly string[] | undefined): number | undefined {
  if (prefer === undefined || prefer.length > HEADER_MAX) return undefined;
  // Of a preference that is given twice the first one counts.
  const entry = String(prefer)
    .match(entries)
    ?.find((text) => waitEntry.test(text));
  const [, bare, quoted = bare] = waitValue.exec(entry ?? "") ?? [];
  return quoted === undefined ? undefined : Math.min(Number(quoted), WAIT_MAX_S);
}
