import type { Outgoing, Seen } from "holdfast";

const base: Outgoing = {
  at: "2026-11-28T09:00:00.000Z",
  protocol: "https",
  host: "api.example.com:443",
  method: "POST",
  path: "/v1/charges",
  sent: "all",
  status: null,
  ended: "answered",
  afterMs: 20,
};

/** A request that was answered. */
export function answered(method: string, status: number, host = base.host): Outgoing {
  return { ...base, method, status, host };
}

/** A request that was sent and got no answer. */
export function unanswered(method: string, ended: string): Outgoing {
  return { ...base, method, ended };
}

/** A connection that is not HTTP. */
export function connection(
  protocol: "tcp" | "tls",
  sent: Outgoing["sent"] = "part",
  host = "db.example.com:5432",
): Outgoing {
  return { ...base, protocol, host, method: null, path: null, sent, ended: "closed" };
}

export function seen(...outgoing: readonly Outgoing[]): Seen {
  return { outgoing, isComplete: true };
}

export const nothing: Seen = seen();
