import type { Socket } from "node:net";

/** In a pipe and in a terminal, what a process prints is written to a socket. */
export function isStandardStream({ fd }: Socket & { readonly fd?: unknown }): boolean {
  return fd === 1 || fd === 2;
}
