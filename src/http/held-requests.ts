import type { ServerResponse } from "node:http";
import { type Running, stopOnce } from "../lib/running.ts";

/** Requests whose answer takes its time: none of them may hold up the end of the server. */
export interface HeldRequests extends Running {
  /** Whether the server is about to close. */
  readonly isStopping: boolean;
  /**
   * Holds a request open.
   *
   * @param letGo called when the server is about to close, then it must end the response; and when the response is
   *   closed, by either side. Must be safe to call twice.
   */
  hold(response: ServerResponse, letGo: () => void): void;
}

/** A client that does not take its answer by then is cut. */
const STOP_MS = 500;

export function createHeldRequests(): HeldRequests {
  const held = new Map<ServerResponse, () => void>();
  let isStopping = false;
  let allClosed = () => {};

  return {
    get isStopping() {
      return isStopping;
    },
    hold(response, letGo) {
      if (response.destroyed) return letGo();
      held.set(response, letGo);
      response.on("close", () => {
        held.delete(response);
        letGo();
        if (held.size === 0) allClosed();
      });
      if (isStopping) letGo();
    },
    stop: stopOnce(async () => {
      isStopping = true;
      const closed = new Promise<void>((resolve) => {
        allClosed = resolve;
      });
      if (held.size === 0) return;
      for (const letGo of held.values()) letGo();
      const cut = setTimeout(allClosed, STOP_MS);
      await closed;
      clearTimeout(cut);
      for (const response of held.keys()) response.destroy();
    }),
  };
}
