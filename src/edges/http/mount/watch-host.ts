import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Running } from "../../../platform/lib/running.ts";
import type { OpenRequests } from "../guard/open-requests.ts";

/** Nothing says that a server has begun to close, so its state is read. */
const LOOK_MS = 250;
const SIGNALS = ["SIGTERM", "SIGINT"] as const;
/** On a listener of ours, of whichever copy of this module. */
const OURS = Symbol.for("holdfast: ends event streams");

/** Ends what is open when the host application stops: its server would wait for each event stream. */
export interface HostWatch extends Running {
  /** Call it for each request of a server: that one closes when the host stops. */
  noticeServer(request: IncomingMessage): void;
  /** Call it for each request that came without a server: only a signal says that such a host stops. */
  noticeSignals(): void;
}

export function watchHost(openRequests: OpenRequests): HostWatch {
  /** Servers that were seen to listen. One that never does gets its connections in another way. */
  const listened = new WeakSet<Server>();
  let isSignalled = false;
  let timer: NodeJS.Timeout | undefined;
  let signals: Running | undefined;

  function isHostClosing({ req }: ServerResponse): boolean {
    const server = serverOf(req);
    return isSignalled || (server !== undefined && listened.has(server) && !server.listening);
  }
  /** Again and again: until its last connection is closed, requests come. */
  const look = () => openRequests.end(isHostClosing);
  const begin = () => {
    timer ??= setInterval(look, LOOK_MS).unref();
  };

  return {
    noticeServer(request) {
      const server = serverOf(request);
      if (server?.listening !== true) return;
      listened.add(server);
      begin();
    },
    noticeSignals() {
      signals ??= onStopSignal(() => {
        isSignalled = true;
        look();
      });
      begin();
    },
    async stop() {
      clearInterval(timer);
      await signals?.stop();
    },
  };
}

/** Node notes it at each connection of an HTTP server. */
function serverOf({ socket }: IncomingMessage): Server | undefined {
  return (socket as { readonly server?: Server } | null)?.server;
}

/** What else happens at a signal is the host's, also where it has no listener and Node's default ends the process. */
function onStopSignal(run: () => void): Running {
  const listener = (signal: NodeJS.Signals) => {
    run();
    if (!process.listeners(signal).every((other) => OURS in other)) return;
    stopListening();
    process.kill(process.pid, signal);
  };
  Object.assign(listener, { [OURS]: true });
  const stopListening = () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return { stop: async () => stopListening() };
}
