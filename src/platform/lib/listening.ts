import { HoldfastError } from "../errors/holdfast-error.ts";
import { isLoopback } from "./allowed-hosts.ts";

/** The URL of a server on this machine, also of one that listens on every address. */
export function urlOf(host: string, port: number): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `http://${isLoopback(host) ? name : "127.0.0.1"}:${port}`;
}

/** @param variable the environment variable of the port */
export function cannotListen(host: string, port: number, variable: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
  const hint = reason === "EADDRINUSE" ? `; another process listens there: stop it, or set ${variable}` : "";
  return new HoldfastError("START_FAILED", `Cannot listen on ${host} port ${port} (${reason})${hint}`, {
    cause,
  });
}
