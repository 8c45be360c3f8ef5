import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** Stages at which a delivery can fail. `content`: while the server receives the message; `message`: after it. */
export type SmtpStage =
  | "greeting"
  | "EHLO"
  | "STARTTLS"
  | "AUTH"
  | "MAIL"
  | "RCPT"
  | "DATA"
  | "content"
  | "message";

type Reply = `${number} ${string}` | `${number}-${string}`;

/** What the server does at a stage: a reply, silence, a FIN, a RST, or a reply without its line break. */
export type SmtpMove = Reply | "stall" | "close" | "reset" | { readonly brokenOff: string };

/** How the server differs from a good one. */
export type SmtpScript = Partial<Record<SmtpStage, SmtpMove>>;

export interface ScriptedSmtp extends AsyncDisposable {
  /** For `SMTP_URL`. */
  readonly url: string;
  /** Connections so far. */
  readonly connections: number;
  /** The commands it got, without arguments. */
  readonly commands: readonly string[];
  /** Messages received up to their final dot, whatever the answer. */
  readonly received: readonly string[];
  /** Ends it and all its connections. */
  stop(): Promise<void>;
}

const goodReplies: Record<Exclude<SmtpStage, "content">, Reply> = {
  greeting: "220 scripted",
  EHLO: "250 scripted",
  STARTTLS: "220 go ahead",
  AUTH: "235 welcome",
  MAIL: "250 ok",
  RCPT: "250 ok",
  DATA: "354 go ahead",
  message: "250 accepted",
};

/** A mail server with a script for each connection; after the last script it behaves well. */
export async function startScriptedSmtp(...scripts: readonly SmtpScript[]): Promise<ScriptedSmtp> {
  const seen: Seen = { commands: [], received: [] };
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(socket, scripts[connections] ?? {}, seen);
    connections += 1;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: `smtp://127.0.0.1:${port}`,
    ...seen,
    get connections() {
      return connections;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface Seen {
  readonly commands: string[];
  readonly received: string[];
}

function serve(socket: Socket, script: SmtpScript, { commands, received }: Seen): void {
  let unread = "";
  let inMessage = false;
  let isOver = false;

  function play(stage: SmtpStage): void {
    const move = script[stage] ?? (stage === "content" ? undefined : goodReplies[stage]);
    if (move === undefined) return;
    if (!isReply(move)) {
      isOver = true;
      breakOff(socket, move);
      return;
    }
    if (stage === "DATA") inMessage = move.startsWith("354");
    socket.write(`${move}\r\n`);
  }

  function readMessage(): boolean {
    play("content");
    const end = unread.search(/^\.\r\n/m);
    if (end === -1 || isOver) return false;
    received.push(unread.slice(0, end));
    unread = unread.slice(end + 3);
    inMessage = false;
    play("message");
    return true;
  }

  function readCommand(): boolean {
    const end = unread.indexOf("\r\n");
    if (end === -1) return false;
    const verb = unread.slice(0, end).split(/[ :]/)[0]?.toUpperCase() ?? "";
    unread = unread.slice(end + 2);
    commands.push(verb);
    if (verb === "QUIT") socket.end("221 bye\r\n");
    else play(verb as SmtpStage);
    return true;
  }

  // After its script, the client decides about the connection.
  socket.on("error", () => {});
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    unread += chunk;
    while (!isOver && unread !== "" && (inMessage ? readMessage() : readCommand()));
  });
  play("greeting");
}

function breakOff(socket: Socket, move: Exclude<SmtpMove, Reply>): void {
  if (move === "stall") return;
  if (move === "close") socket.end();
  else if (move === "reset") socket.resetAndDestroy();
  else socket.end(move.brokenOff);
}

function isReply(move: SmtpMove): move is Reply {
  return typeof move === "string" && /^\d{3}[ -]/.test(move);
}
