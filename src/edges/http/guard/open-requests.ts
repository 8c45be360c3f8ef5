import type { IncomingMessage, ServerResponse } from "node:http";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";

/** Requests that wait or stream. `stop` ends them, so that none delays the server's stop. */
export interface OpenRequests extends Running {
  /**
   * Keeps a request open.
   *
   * @param finish called when the server stops, to end the response, and when the response closes; safe to call twice
   */
  keepOpen(response: ServerResponse, finish: () => void): void;
  /** Ends those of a server that is about to close, and leaves the others. */
  end(isOfThatServer: (response: ServerResponse) => boolean): void;
  /** Whether a request was ended before its time: its connection is of no more use. */
  wasEnded(response: ServerResponse): boolean;
}

const STOP_MS = 500;
/** Names and values. What no ordinary request has, and its application's log can do without. */
const HEADERS_KEPT = 128;

/** @param stopMs a client that has not read its answer so many milliseconds after the stop is disconnected */
export function createOpenRequests(stopMs = STOP_MS): OpenRequests {
  const open = new Map<ServerResponse, () => void>();
  const ended = new WeakSet<ServerResponse>();
  let isStopping = false;
  let allClosed = () => {};

  function end(isOfThatServer: (response: ServerResponse) => boolean): void {
    for (const [response, finish] of open) {
      if (ended.has(response) || !isOfThatServer(response)) continue;
      ended.add(response);
      finish();
    }
  }

  return {
    wasEnded: (response) => ended.has(response),
    keepOpen(response, finish) {
      if (response.destroyed) return finish();
      forgetHeaders(response.req);
      open.set(response, finish);
      response.on("close", () => {
        open.delete(response);
        finish();
        if (open.size === 0) allClosed();
      });
      if (isStopping) end((one) => one === response);
    },
    end,
    stop: stopOnce(async () => {
      isStopping = true;
      const closed = new Promise<void>((resolve) => {
        allClosed = resolve;
      });
      if (open.size === 0) return;
      end(() => true);
      const timer = setTimeout(allClosed, stopMs);
      await closed;
      clearTimeout(timer);
      for (const response of open.keys()) response.destroy();
    }),
  };
}

/** A thousand short ones take 100 KiB, and would take them for as long as the request is open. */
function forgetHeaders(request: IncomingMessage): void {
  if (request.rawHeaders.length <= HEADERS_KEPT) return;
  request.rawHeaders = [];
  request.headers = {};
  request.headersDistinct = {};
}
