import type { Outgoing, Seen } from "../job/outgoing.ts";

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
 * Whether this effect sent nothing but what went over one connection of its own protocol (which may be a pool's, and then is not seen).
 * Each mail, statement or call on a connection of its own counts.
 */
export function isOneConnection({ outgoing, isComplete }: Seen): boolean {
  const used = outgoing.filter((one) => !isRequest(one) && one.sent !== null);
  return isComplete && outgoing.filter(isRequest).every(isHarmless) && connections(used) <= 1;
}

/** A connection that is upgraded to TLS can be seen twice: plain by its host's name, then encrypted by its address. */
function connections(used: readonly Outgoing[]): number {
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

/** What has not ended may still be sent, or is not seen, as with HTTP/2. */
function isNeverSent({ sent, ended }: Outgoing): boolean {
  return sent === null && ended !== null;
}
