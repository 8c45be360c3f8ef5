import type { ServerResponse } from "node:http";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";

/** Requests that wait or stream. `stop` ends them, so that none delays the server's stop. */
export interface OpenRequests extends Running {
  readonly isStopping: boolean;
  /**
   * Keeps a request open.
   *
   * @param finish called when the server stops, to end the response, and when the response closes; safe to call twice
   */
  keepOpen(response: ServerResponse, finish: () => void): void;
}

const STOP_MS = 500;

/** @param stopMs a client that has not read its answer so many milliseconds after the stop is disconnected */
export function createOpenRequests(stopMs = STOP_MS): OpenRequests {
  const open = new Map<ServerResponse, () => void>();
  let isStopping = false;
  let allClosed = () => {};

  return {
    get isStopping() {
      return isStopping;
    },
    keepOpen(response, finish) {
      if (response.destroyed) return finish();
      open.set(response, finish);
      response.on("close", () => {
        open.delete(response);
        finish();
        if (open.size === 0) allClosed();
      });
      if (isStopping) finish();
    },
    stop: stopOnce(async () => {
      isStopping = true;
      const closed = new Promise<void>((resolve) => {
        allClosed = resolve;
      });
      if (open.size === 0) return;
      for (const finish of open.values()) finish();
      const timer = setTimeout(allClosed, stopMs);
      await closed;
      clearTimeout(timer);
      for (const response of open.keys()) response.destroy();
    }),
  };
}
