// What the world saw: a mail server and a receiver of posts, outside of Redis and of every process that is hurt.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";

/** What the witness does at some moment, such as killing a worker. Each is called once. */
export interface Ambush {
  /** A worker has opened a connection and named the sender: nothing has been sent. */
  readonly beforeMail?: () => void | Promise<void>;
  /** The mail has arrived and counts; it is not acknowledged yet. */
  readonly afterMail?: () => void | Promise<void>;
  /** Closes the connection in place of an answer. */
  readonly hangsUp?: boolean;
  /** Answers every post so, after it counts. */
  readonly postStatus?: number;
}

export interface Witness {
  readonly smtpUrl: string;
  readonly postUrl: string;
  /** Recipients of mails and instants of digests, in the order of arrival. */
  readonly acts: readonly string[];
  /** Mails that are begun and neither acknowledged nor given up. */
  readonly underWay: number;
  ambush(ambush: Ambush): void;
  stop(): Promise<void>;
}

export async function startWitness(): Promise<Witness> {
  const acts: string[] = [];
  let waiting: Ambush = {};
  const underWay = new Set<string>();
  const take = (name: "beforeMail" | "afterMail") => {
    const { [name]: act, ...others } = waiting;
    waiting = others;
    return act?.();
  };
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onClose: ({ id }) => void underWay.delete(id),
    onMailFrom: (_address, { id }, done) => {
      underWay.add(id);
      Promise.resolve(take("beforeMail")).then(() => done(), done);
    },
    onData: (stream, session, done) => {
      text(stream)
        .then(async () => {
          acts.push(...session.envelope.rcptTo.map(({ address }) => address));
          await take("afterMail");
          underWay.delete(session.id);
          if (waiting.hangsUp !== true) return done();
          waiting = {};
          for (const connection of smtp.connections as ReadonlySet<{ _socket: { destroy(): void } }>)
            connection._socket.destroy();
        })
        .catch(done);
    },
  });
  smtp.on("error", () => {});
  const posts = createServer((request, response) => {
    text(request).then(
      (body) => {
        acts.push(String((JSON.parse(body) as { at: unknown }).at));
        response.writeHead(waiting.postStatus ?? 200).end();
      },
      () => {},
    );
  });
  const mails = smtp.listen(0, "127.0.0.1");
  posts.listen(0, "127.0.0.1");
  await Promise.all([once(mails, "listening"), once(posts, "listening")]);
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  return {
    smtpUrl: `smtp://127.0.0.1:${portOf(mails)}`,
    postUrl: `http://127.0.0.1:${portOf(posts)}/digest`,
    acts,
    get underWay() {
      return underWay.size;
    },
    ambush: (ambush) => {
      waiting = ambush;
    },
    stop: async () => {
      posts.closeAllConnections();
      posts.close();
      await new Promise<void>((resolve) => smtp.close(resolve));
    },
  };
}
