import { AsyncResource } from "node:async_hooks";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type ClientRequest, createServer, request } from "node:http";
import {
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
} from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { connection } from "holdfast/evidence";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { runEffect } from "../../support/run-effect.ts";

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function refusedFetch() {
  const server = createTcpServer();
  const port = await portOf(server);
  server.close();
  await once(server, "close");
  await fetch(`http://127.0.0.1:${port}/`, { method: "POST" });
}

/** Runs an effect that does this, and then calls where nobody listens. */
const run = (act: () => unknown) =>
  runEffect(
    async () => {
      await act();
      await refusedFetch();
    },
    { classify: connection },
  );

const unfollowed = (way: string) => ({
  state: "in-doubt",
  because: `it used ${way}, which cannot be followed`,
});
const notDone = { state: "not-done", because: undefined };

/** What arrives at a server. */
function arrivals() {
  let text = "";
  return {
    take: (chunk: Buffer) => {
      text += chunk.toString();
    },
    arrived: (part: string) => expect.poll(() => text).toContain(part),
  };
}

async function beginHttp() {
  const { take, arrived } = arrivals();
  const server = createServer((incoming) => incoming.on("error", () => {}).on("data", take));
  const port = await portOf(server);
  onTestFinished(() => void server.close().closeAllConnections());
  const begin = () => {
    const begun = request({ port, host: "127.0.0.1", method: "POST" }).on("error", () => {});
    begun.write("begun ");
    return begun;
  };
  return { begin, arrived };
}

async function beginHttp2() {
  const { take, arrived } = arrivals();
  const answers: { write(chunk: string): void }[] = [];
  const server = createHttp2Server().on("stream", (stream) => {
    stream.on("error", () => {}).on("data", take);
    stream.respond({ ":status": 200 });
    answers.push(stream);
  });
  const port = await portOf(server);
  onTestFinished(() => void server.close());
  const session = connectHttp2(`http://127.0.0.1:${port}`).on("error", () => {});
  onTestFinished(() => session.destroy());
  const begin = () => {
    const begun = session.request({ ":method": "POST" }).on("error", () => {});
    begun.write("begun ");
    return begun;
  };
  return { begin, arrived, answers };
}

// From here on, everything is watched.
beforeAll(async () => {
  await run(() => {});
});

describe("a request that was begun before the effect, which writes into its body", () => {
  const ways: [
    string,
    () => Promise<
      { begin(): ClientRequest | ClientHttp2Stream } & Pick<ReturnType<typeof arrivals>, "arrived">
    >,
  ][] = [
    ["HTTP/1.1", beginHttp],
    ["HTTP/2", beginHttp2],
  ];

  it.each(ways)("leaves a doubt: %s", async (_, open) => {
    const { begin, arrived } = await open();
    const begun = begin();
    await arrived("begun");
    const act = async () => {
      begun.write("act");
      await arrived("act");
    };
    expect(await run(act)).toEqual(unfollowed("a request that was begun outside of it"));
  });

  it.each(ways)("is under way where the effect itself began it: %s", async (_, open) => {
    const { begin, arrived } = await open();
    const act = async () => {
      begin().write("act");
      await arrived("act");
    };
    expect((await run(act)).because).not.toBe(unfollowed("a request that was begun outside of it").because);
  });
});

describe("an answer of this process over HTTP/2", () => {
  it("leaves a doubt where the effect writes into it", async () => {
    const { begin, answers } = await beginHttp2();
    const { take, arrived } = arrivals();
    await once(begin().on("data", take), "response");
    const act = async () => {
      answers[0]?.write("act");
      await arrived("act");
    };
    expect(await run(act)).toEqual(unfollowed("a connection that this process accepted"));
  });
});

describe("a busy connection", () => {
  it("carries what the effect wrote later, in the context of whoever wrote before, and leaves a doubt", async () => {
    const MANY = 30_000_000;
    let read = 0;
    let peer: { readonly resume: () => void; readonly destroy: () => void } | undefined;
    const server = createTcpServer({ pauseOnConnect: true }, (socket) => {
      const answer = AsyncResource.bind(() => socket.write("answer"));
      socket
        .on("error", () => {})
        .on("data", (chunk) => {
          read += chunk.length;
          if (read > MANY) answer();
        });
      socket.pause();
      peer = socket;
    });
    const port = await portOf(server);
    const pooled = connect(port, "127.0.0.1").on("error", () => {});
    onTestFinished(() => {
      pooled.destroy();
      peer?.destroy();
      server.close();
    });
    await once(pooled, "connect");
    await expect.poll(() => peer).toBeDefined();
    const isFull = !pooled.write(Buffer.alloc(MANY));
    expect(isFull).toBe(true);
    const resume = AsyncResource.bind(() => peer?.resume());
    const act = async () => {
      pooled.write("act");
      resume();
      await once(pooled, "data");
    };
    expect((await run(act)).state).toBe("in-doubt");
  });
});

describe("a signal to another process", () => {
  const start = async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1_000)"], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    return child;
  };

  it.each([
    ["process.kill", (child: ChildProcess) => process.kill(Number(child.pid), "SIGTERM")],
    ["its own method", (child: ChildProcess) => child.kill()],
  ])("leaves a doubt: %s", async (_, kill) => {
    const child = await start();
    const act = async () => {
      kill(child);
      await once(child, "exit");
    };
    expect(await run(act)).toEqual(unfollowed("a signal to another process"));
  });

  it("but asking whether a process is there does not", async () => {
    const child = await start();
    expect(await run(() => process.kill(Number(child.pid), 0))).toEqual(notDone);
  });
});
