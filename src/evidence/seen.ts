import { NEVER_SENT } from "./error-tree.ts";
import type { Outgoing, Seen } from "./outgoing/outgoing.ts";

/** They only read. */
const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** 4xx that do not say whether an earlier, an equal, or this request was carried out. */
const UNCLEAR: ReadonlySet<number> = new Set([408, 409, 423, 425, 499]);
const SWITCHING_PROTOCOLS = 101;

/** Whether a server that answers with this status has refused the request. */
export function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && !UNCLEAR.has(status);
}

/**
 * Whether this effect did nothing over HTTP, although a client may have sent its request again: the refused request was seen, and every other
 * was refused, too, or never sent, or only reads. Where nothing is seen, nothing is proved.
 */
export function provesRefusal(status: number, { outgoing, isComplete }: Seen): boolean {
  return (
    isComplete &&
    outgoing.some((one) => isRequest(one) && one.status === status) &&
    outgoing.every(isHarmless)
  );
}

/**
 * Whether this effect used at most one connection of its own protocol, and did nothing over HTTP. A pool's older connection is not always
 * seen; a mail, statement or call on a connection of its own is.
 */
export function isOneConnection(seen: Seen): boolean {
  return connectionsMade(seen) <= 1;
}

/** Whether this effect did nothing over HTTP, and made no other connection. */
export function isNothing(seen: Seen): boolean {
  return connectionsMade(seen) === 0;
}

function connectionsMade({ outgoing, isComplete }: Seen): number {
  if (!isComplete || !outgoing.filter(isRequest).every(isHarmless)) return Number.POSITIVE_INFINITY;
  return countOnce(outgoing.filter((one) => !isRequest(one) && !isNeverSent(one)));
}

/** A connection that is upgraded to TLS can be seen twice: plain by its host's name, then encrypted by its address. */
function countOnce(used: readonly Outgoing[]): number {
  const encrypted = used.filter(({ protocol }) => protocol === "tls");
  const ports = new Set(used.map(({ host }) => host.slice(host.lastIndexOf(":"))));
  return ports.size === 1 ? Math.max(encrypted.length, used.length - encrypted.length) : used.length;
}

function isHarmless(one: Outgoing): boolean {
  if (!isRequest(one)) return isNeverSent(one);
  if (one.status !== null)
    return isRefusal(one.status) || (isRead(one) && one.status !== SWITCHING_PROTOCOLS);
  return isRead(one) || isNeverSent(one);
}

function isRequest({ method }: Outgoing): boolean {
  return method !== null;
}

function isRead({ method }: Outgoing): boolean {
  return READS.has(method?.toUpperCase() ?? "");
}

/** An open connection may still send, and of HTTP/2 only errors are seen: only a connection that was never made proves anything. */
function isNeverSent({ sent, ended }: Outgoing): boolean {
  return sent === null && ended !== null && NEVER_SENT.has(ended);
}
