import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { createServer as createSecureServer, TLSSocket } from "node:tls";
import type { SmtpFault, SmtpStage } from "../faults/smtp.ts";
import type { Acts } from "./acts.ts";
import { certificates } from "./certificates.ts";
import { type Downstream, listen, nobodyFor } from "./downstream.ts";

const goodReplies: Record<SmtpStage, string> = {
  greeting: "220 ready",
  MAIL: "250 ok",
  RCPT: "250 ok",
  DATA: "354 go ahead",
  message: "250 accepted",
};

/** A mail server that acts when it has read a message to its final dot. */
export async function openSmtp(fault: SmtpFault, library: string, acts: Acts): Promise<Downstream> {
  if (fault.nowhere !== undefined) return nobodyFor(fault.nowhere);
  acts.isNeverReached = true;
  const sockets = new Set<Socket>();
  const onSocket = (socket: Socket) => {
    sockets.add(socket.on("error", () => {}));
    serve(socket, fault, {
      onData: () => {
        acts.isNeverReached = false;
      },
      onMessage: () => {
        if (fault.acts) acts.act();
        if (fault.isThenGone) server.close();
      },
    });
  };
  const server =
    library === "smtps"
      ? createSecureServer(certificates().of("trusted"), onSocket).on("tlsClientError", () => {})
      : createServer(onSocket);
  const port = await listen(server);
  const stop = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { host: "127.0.0.1", port, protocol: "http", stop };
}

interface Seen {
  /** Called when the client is about to send a message: before that, there is none. */
  readonly onData: () => void;
  readonly onMessage: () => void;
}

function serve(socket: Socket, fault: SmtpFault, { onData, onMessage }: Seen): void {
  let inMessage = false;
  const play = (stage: SmtpStage) => {
    if (fault.at === stage) misbehave(socket, fault.does);
    else if (stage !== "message" || fault.clock === undefined) socket.write(`${goodReplies[stage]}\r\n`);
  };
  play("greeting");
  const lines = createInterface({ input: socket });
  lines.on("error", () => {}); // the socket's, once more
  lines.on("line", (line) => {
    if (inMessage && line !== ".") return;
    if (inMessage) {
      inMessage = false;
      onMessage();
      return play("message");
    }
    const verb = line.split(/[ :]/)[0]?.toUpperCase() ?? "";
    if (verb === "DATA") {
      inMessage = fault.at !== "DATA";
      onData();
    }
    if (verb in goodReplies) play(verb as SmtpStage);
    else if (verb === "QUIT") socket.end("221 bye\r\n");
    else socket.write("250 ok\r\n");
  });
}

function misbehave(socket: Socket, does: SmtpFault["does"]): void {
  if (does === "close") socket.end();
  // What encrypts cannot reset.
  else if (does === "reset") void (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy());
  else if (does === "break off") socket.end("25");
  else if (does === "HTTP") socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  else socket.write(`${does}\r\n`);
}
