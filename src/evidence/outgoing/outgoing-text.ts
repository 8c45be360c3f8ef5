// Also part of the console. So it imports only what browsers can load.
import { durationText } from "../../platform/lib/duration-text.ts";

/** One request or connection of an effect, as the API shows it. */
interface Outgoing {
  readonly at: string;
  readonly protocol: string;
  readonly host: string;
  readonly method: string | null;
  readonly path: string | null;
  readonly sent: "part" | "all" | "not seen" | null;
  readonly status: number | null;
  readonly ended: string | null;
  readonly afterMs: number | null;
}

/** How many are kept. */
const KEPT_MAX = 20;

/**
 * What an effect in doubt was seen to send, as a sentence without its full stop.
 *
 * @example "POST api.stripe.com/v1/charges: sent, connection reset after 1.2 s; tried again 600 ms later: refused"
 */
export function evidenceText(evidence: readonly Outgoing[]): string {
  if (evidence.length === 0) return "not seen";
  const parts = evidence.map((one, index) => {
    const before = evidence[index - 1];
    const isAgain = before !== undefined && targetOf(before) === targetOf(one);
    return isAgain ? `${againText(before, one)}: ${howOf(one)}` : outgoingText(one);
  });
  return parts.join("; ") + (evidence.length < KEPT_MAX ? "" : "; what came after these is not kept");
}

/** What became of the last of them, and then what it was. @example "sent, connection reset after 1.2 s · POST api.stripe.com/v1/charges" */
export function verdictFirst(evidence: readonly Outgoing[]): string {
  const last = evidence.at(-1);
  if (last === undefined) return "not seen what it sent";
  const rest = evidence.length === 1 ? targetOf(last) : evidenceText(evidence);
  return `${howOf(last)} · ${rest}`;
}

/** What became of the last of them, the same for all that ended alike. @example "answered 500" */
export function verdictOf(evidence: readonly Outgoing[]): string {
  const last = evidence.at(-1);
  if (last === undefined) return "not seen";
  const { method, sent, status, ended } = last;
  if (sent === null && ended === "ECONNREFUSED") return "refused";
  const end = endText(status, ended);
  return status === null ? `${sentText(method, sent)}${end}` : end;
}

/** One of them. @example "POST api.stripe.com/v1/charges: sent, connection reset after 1.2 s" */
export function outgoingText(one: Outgoing): string {
  return `${targetOf(one)}: ${howOf(one)}`;
}

function targetOf({ protocol, host, method, path }: Outgoing): string {
  if (method === null) return `${protocol} ${host}`;
  return `${method} ${host.replace(protocol === "https" ? /:443$/ : /:80$/, "")}${path ?? ""}`;
}

function againText(before: Outgoing, { at, sent }: Outgoing): string {
  const pauseMs = Date.parse(at) - Date.parse(before.at) - (before.afterMs ?? 0);
  return `${sent === null ? "tried" : "sent"} again ${durationText(Math.max(0, pauseMs))} later`;
}

const ends: Readonly<Record<string, string>> = {
  closed: "connection closed",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "host not found",
  EPIPE: "connection broken",
  ETIMEDOUT: "timed out",
  UND_ERR_CONNECT_TIMEOUT: "timed out",
  UND_ERR_SOCKET: "connection lost",
};

function howOf({ method, sent, status, ended, afterMs }: Outgoing): string {
  if (sent === null && ended === "ECONNREFUSED") return "refused";
  const after = afterMs === null ? "" : ` after ${durationText(afterMs)}`;
  return `${sentText(method, sent)}${endText(status, ended)}${after}`;
}

function sentText(method: string | null, sent: Outgoing["sent"]): string {
  if (sent === null) return "nothing sent, ";
  if (sent === "not seen") return "what was sent is not seen, ";
  return method === null || sent === "all" ? "sent, " : "sent in part, ";
}

function endText(status: number | null, ended: string | null): string {
  if (ended === null) return status === null ? "no answer" : `answered ${status}, not to its end`;
  if (ended === "answered") return status === null ? "answered" : `answered ${status}`;
  const end = ends[ended] ?? ended;
  return status === null ? end : `answered ${status}, ${end}`;
}

/** A hint as a sentence without its full stop. @example 'refused, nothing seen sent; "classify: http" proves that nothing happened' */
export function hintText({ classify, why }: { readonly classify: string; readonly why: string }): string {
  return `${why}; "classify: ${classify}" proves that nothing happened`;
}
