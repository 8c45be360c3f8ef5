import type { Outgoing, Seen } from "./outgoing/outgoing.ts";

/** They only read. */
export const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** 4xx that do not say whether an earlier, an equal, or this request was carried out. */
const UNCLEAR: ReadonlySet<number> = new Set([408, 409, 423, 425, 499]);
const SWITCHING_PROTOCOLS = 101;
/** Where the AWS SDK fetches credentials: instance metadata, containers, pods, and the token service. */
const CREDENTIALS =
  /^(169\.254\.169\.254|169\.254\.170\.(2|23)|\[fd00:ec2::(23|254)\]|sts(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?)(:\d+)?$/;

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
    outgoing.every((one) => whatItDid(one) !== "acted")
  );
}

/** Whether each connection and request that was seen was never sent; where nothing is seen, nothing is proved. */
export function isNothingSent({ outgoing, isComplete }: Seen): boolean {
  return isComplete && outgoing.length > 0 && outgoing.every(isNeverSent);
}

/** Whether this effect used one connection that carries no HTTP, and did nothing over HTTP. */
export function isOneConnection({ outgoing, isComplete }: Seen): boolean {
  const acted = outgoing.filter((one) => whatItDid(one) === "acted");
  return isComplete && acted.length === 1 && !acted.some(isRequest);
}

/** Whether this effect sent one request over HTTP, which was answered 200, and nothing else. */
export function isOneCall({ outgoing, isComplete }: Seen): boolean {
  const sent = outgoing.filter((one) => !isNeverSent(one));
  return isComplete && sent.length === 1 && sent.every((one) => isRequest(one) && one.status === 200);
}

type Judged = Pick<Outgoing, "host" | "method" | "sent" | "status" | "ended">;

/**
 * What one request or connection did, for all that can be known.
 *
 * @param actsBy the method by which the effect acts, although others only read with it
 */
export function whatItDid(one: Judged, actsBy?: "GET"): "acted" | "refused" | "nothing" {
  // What goes through a tunnel is seen by itself.
  if (isNeverSent(one) || one.method === "CONNECT" || CREDENTIALS.test(one.host)) return "nothing";
  if (one.status !== null && isRefusal(one.status)) return "refused";
  const isRead = isRequest(one) && one.method !== actsBy && READS.has(one.method?.toUpperCase() ?? "");
  return isRead && one.status !== SWITCHING_PROTOCOLS ? "nothing" : "acted";
}

function isRequest({ method }: Judged): boolean {
  return method !== null;
}

/** An open connection may still send: only one that has ended proves anything. */
function isNeverSent({ sent, status, ended }: Judged): boolean {
  return sent === null && status === null && ended !== null;
}
