import type { Socket } from "node:net";
import { SMTPServer, type SMTPServerDataStream } from "smtp-server";
import { HoldfastError } from "../../src/platform/errors/holdfast-error.ts";
import type { Logger } from "../../src/platform/lib/logger.ts";
import { type Running, stopOnce } from "../../src/platform/lib/running.ts";
import { listenOnLoopback } from "./listen-on-loopback.ts";
import type { MailDirectory } from "./mail-directory.ts";

/** The largest message that the mailbox accepts. */
const maxMessageBytes = 10 * 1024 * 1024;

/** How long a client gets to end its session once the listener stops. */
const stopGraceMs = 1_000;

interface SmtpListenerOptions {
  readonly mails: MailDirectory;
  readonly port: number;
  readonly log: Pick<Logger, "debug" | "info" | "warn"> | undefined;
}

/** Accepts mail from anyone on this machine. Answers 250 only once a message is safe on disk. */
export async function startSmtpListener(options: SmtpListenerOptions): Promise<Running & { url: string }> {
  const { mails, port, log } = options;
  const receiving = new Set<Promise<void>>();
  const smtp = new SMTPServer({
    name: "localhost",
    banner: "Holdfast development mailbox",
    disabledCommands: ["AUTH", "STARTTLS"],
    authOptional: true,
    disableReverseLookup: true,
    size: maxMessageBytes,
    rejectOversized: true,
    closeTimeout: stopGraceMs,
    onData(stream, _session, answer) {
      const work = receive(stream, mails, log).then((text) => answer(null, text), answer);
      receiving.add(work);
      work.finally(() => receiving.delete(work));
    },
  });
  // Without a listener, a broken connection would end this process.
  smtp.on("error", (error) => log?.debug({ err: error }, "smtp connection failed"));
  const openSockets = trackSockets(smtp);
  const address = await listenOnLoopback(smtp.server, port);

  const stop = async () => {
    await new Promise<void>((resolve) => smtp.close(resolve));
    for (const socket of openSockets) socket.destroySoon();
    await Promise.all(receiving);
  };
  return { url: `smtp://${address}`, stop: stopOnce(stop) };
}

async function receive(
  stream: SMTPServerDataStream,
  mails: MailDirectory,
  log: SmtpListenerOptions["log"],
): Promise<string> {
  try {
    const message = await collect(stream);
    if (message === undefined) return "too large"; // `rejectOversized` answers 552 instead
    const id = await mails.store(message);
    log?.info({ mail: id, bytes: message.length }, "mail received");
    return `OK: stored as ${id}`;
  } catch (error) {
    log?.warn({ err: error }, "mail could not be stored");
    throw new HoldfastError("INTERNAL", "The mailbox could not store the message", { cause: error });
  }
}

/** The whole message. If it is too large, reads it to its end without keeping it, and returns undefined. */
async function collect(stream: SMTPServerDataStream): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxMessageBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return bytes <= maxMessageBytes ? Buffer.concat(chunks, bytes) : undefined;
}

function trackSockets(smtp: SMTPServer): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  smtp.server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}
