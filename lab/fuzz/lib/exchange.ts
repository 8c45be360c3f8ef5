import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, answersIn, isWhole } from "./answers.ts";

/** The result of sending bytes on a new connection. */
export interface Exchange {
  /** In order; empty if the connection was closed or stayed silent. */
  readonly answers: readonly Answer[];
  /** Until the last answer. */
  readonly ms: number;
  readonly isSilent: boolean;
}

export interface Manner {
  /** Closes the sending side, and still reads. */
  readonly halfClose?: boolean;
  /** Sent byte by byte, after the rest. */
  readonly slowly?: Buffer;
  /** Milliseconds between these bytes. */
  readonly everyMs?: number;
}

/** Slow requests are cut off after ten seconds; this is twice that. */
const SILENT_MS = 20_000;
/** How much of the answers is kept. */
const BYTES_MAX = 8 * 1_048_576;

/** A kept-alive connection has no end to wait for. */
const QUIET_MS = 100;

/** Sends bytes; resolves when the connection is closed or no more answers come. */
export async function exchange(url: string, bytes: Buffer, manner: Manner = {}): Promise<Exchange> {
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  const isHead = bytes.toString("latin1", 0, 5) === "HEAD "; // its answer has a length, and no body
  const received: Buffer[] = [];
  const startedAt = performance.now();
  let size = 0;
  return await new Promise((resolve) => {
    let lastAt = startedAt;
    let quiet: NodeJS.Timeout | undefined;
    let isOver = false;
    const finish = (isSilent: boolean) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(silence);
      clearTimeout(quiet);
      socket.destroy();
      const endedAt = received.length > 0 ? lastAt : performance.now();
      resolve({ answers: answersIn(Buffer.concat(received)), ms: endedAt - startedAt, isSilent });
    };
    // This process may have been late itself, with the rest of an answer still to read.
    const finishIfWhole = () => void ((isHead || isWhole(Buffer.concat(received))) && finish(false));
    const silence = setTimeout(() => finish(received.length === 0), SILENT_MS);
    socket.on("data", (chunk) => {
      received.push(chunk);
      size += chunk.length;
      lastAt = performance.now();
      clearTimeout(quiet);
      if (size > BYTES_MAX || isStream(received[0])) finish(false);
      else if (isKeptOpen(received[0])) quiet = setTimeout(finishIfWhole, QUIET_MS);
    });
    socket.on("end", () => finish(false));
    socket.on("close", () => finish(false));
    socket.on("error", () => {}); // hung up while we were still sending: earlier answers count
    socket.on("connect", () => void send(socket, bytes, manner, () => isOver));
  });
}

async function send(socket: Socket, atOnce: Buffer, manner: Manner, isOver: () => boolean): Promise<void> {
  const { halfClose, slowly = Buffer.alloc(0), everyMs } = manner;
  socket.write(atOnce);
  for (let at = 0; at < slowly.length && !isOver(); at++) {
    socket.write(slowly.subarray(at, at + 1));
    await sleep(everyMs);
  }
  if (halfClose && !isOver()) socket.end();
}

function isKeptOpen(start: Buffer | undefined): boolean {
  return /\r\nconnection: keep-alive\r\n/i.test(start?.toString("latin1") ?? "");
}

/** An event stream ends with its job, or never. */
function isStream(start: Buffer | undefined): boolean {
  return /\r\ncontent-type: text\/event-stream/i.test(start?.toString("latin1") ?? "");
}
