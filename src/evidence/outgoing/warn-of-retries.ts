import type { Logger } from "../../platform/lib/logger.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";

/** Effects that were warned of, by type and name. */
const warned = new Set<string>();
const WARNED_MAX = 10_000;

/** Warns, once for each effect and process, of a client that sends the same request again by itself. */
export function warnOfRetries(type: string, name: string, record: OutgoingRecord, log: () => Logger): void {
  const again = record.mostRepeated();
  if (again === undefined) return;
  const effect = `${type}/${name}`;
  if (warned.has(effect) || warned.size === WARNED_MAX) return;
  warned.add(effect);
  const { times, ...advice } = again;
  log().warn(
    { effect: name, requests: times, ...advice },
    `the client sent ${times} requests in one call of effect "${name}": switch its retries off`,
  );
}
