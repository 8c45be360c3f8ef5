import { AsyncResource } from "node:async_hooks";
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MessageChannel, Worker } from "node:worker_threads";
import { defineJob, NotDoneError, SnoozeError } from "holdfast";
import { connection, http } from "holdfast/evidence";
import { runHandler } from "holdfast/testing";
import { createTransport } from "nodemailer";
import {
  type Dispatcher,
  interceptors,
  Pool,
  RetryAgent,
  Agent as UndiciAgent,
  fetch as undiciFetch,
} from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import type { EffectCall, EffectDeclaration, EffectOptions } from "../../../src/core/job/effect.ts";
import { latch } from "../../support/latch.ts";

const listening = async (server: Server): Promise<number> => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
};

async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A server that acts on each request, and then does as it is told. */
async function startDownstream(after: (response: import("node:http").ServerResponse, acts: number) => void) {
  let acts = 0;
  const server = createServer((incoming, response) => {
    incoming.resume().on("end", () => {
      acts += 1;
      after(response, acts);
    });
  });
  const port = await listening(server);
  onTestFinished(() => server.closeAllConnections());
  return { server, port, url: `http://127.0.0.1:${port}/charges`, acts: () => acts };
}

/** Runs one attempt of a job whose effect is this. */
async function run(
  act: (call: EffectCall) => Promise<unknown>,
  declaration: Partial<EffectDeclaration> = { classify: connection },
  options: EffectOptions<unknown> = {},
  afterwards: () => Promise<void> = async () => {},
) {
  const job = defineJob({
    type: "charge",
    payload: z.object({}),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 60_000,
    effects: { act: { timeoutMs: 30_000, inDoubt: "hold", ...declaration } as EffectDeclaration },
  });
  const ended = await runHandler(
    job.handler(async ({ effect }) => {
      try {
        return await effect("act", act, options);
      } finally {
        await afterwards();
      }
    }),
    {},
  );
  const warned = ended.logs.find(({ message }) => message === "effect in doubt")?.fields;
  const because = warned?.because as string | undefined;
  return { state: ended.effects[0]?.state, because, warned, told: ended.error?.message };
}

const post = async (url: string) => {
  const response = await fetch(url, { method: "POST", body: "{}" });
  if (!response.ok) throw new Error(`answered ${response.status}`, { cause: response });
};

const refusedFetch = async () => await fetch(`http://127.0.0.1:${await closedPort()}/`, { method: "POST" });

describe("a refused connection proves nothing while something else of the effect is under way", () => {
  const underWay = { state: "in-doubt", because: "something of it is under way" };
  /** Says so whatever else is seen. */
  const classify = () => "not-done" as const;

  it("a mail over a connection that is not encrypted yet", async () => {
    const server = createTcpServer(() => {});
    const port = await listening(server);
    const mail = createTransport({ host: "127.0.0.1", port, secure: true, connectionTimeout: 1_500 });
    const act = async () => {
      const connected = once(server, "connection");
      mail.sendMail({ from: "a@example.com", to: "b@example.com", text: "x" }).catch(() => {});
      await connected;
      await refusedFetch();
    };
    expect(await run(act)).toMatchObject({ state: "in-doubt" });
    expect(await run(act, { classify })).toMatchObject(underWay);
  });

  it("a mail that waits for its server's greeting", async () => {
    const server = createTcpServer(() => {});
    const port = await listening(server);
    const mail = createTransport({ host: "127.0.0.1", port, greetingTimeout: 1_500 });
    const act = async () => {
      const connected = once(server, "connection");
      mail.sendMail({ from: "a@example.com", to: "b@example.com", text: "x" }).catch(() => {});
      await connected;
      await refusedFetch();
    };
    expect(await run(act)).toMatchObject({ state: "in-doubt" });
    expect(await run(act, { classify })).toMatchObject(underWay);
  });

  it("a connection that a library opens by a timer", async () => {
    const port = await listening(createTcpServer(() => {}));
    const act = async () => {
      const refused: unknown = await refusedFetch().catch((error) => error);
      setTimeout(() => connect(port, "127.0.0.1").on("error", () => {}), 5);
      throw refused;
    };
    expect(await run(act, { classify })).toMatchObject({ state: "in-doubt" });
  });

  it("a slow look-up of a name", async () => {
    const found = latch();
    const act = async () => {
      connect({
        host: "slow.example",
        port: 25,
        lookup: (_host, _options, done) => void found.opened.then(() => done(new Error("gone"), "", 4)),
      }).on("error", () => {});
      await refusedFetch();
    };
    expect(await run(act)).toMatchObject({ state: "in-doubt" });
    expect(await run(act, { classify })).toMatchObject(underWay);
    found.open();
  });

  it("a request that waits in a busy agent", async () => {
    const release = latch();
    const downstream = await startDownstream(
      (response) => void release.opened.then(() => response.end("ok")),
    );
    const agent = new Agent({ maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const send = () =>
      request(downstream.url, { method: "POST", agent }, (response) => response.resume())
        .on("error", () => {})
        .end("x");
    send();
    const act = async () => {
      send();
      await refusedFetch();
    };
    expect(await run(act)).toMatchObject({ state: "in-doubt" });
    expect(await run(act, { classify })).toMatchObject(underWay);
    release.open();
    await expect.poll(downstream.acts).toBe(3);
  });
});

describe("the word of another effect releases nothing", () => {
  const nested = (inner: Partial<EffectDeclaration> = {}) =>
    defineJob({
      type: "nested",
      payload: z.object({}),
      result: z.unknown(),
      retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
      timeoutMs: 10_000,
      effects: {
        outer: { timeoutMs: 5_000, inDoubt: "hold" },
        lenient: { timeoutMs: 5_000, inDoubt: "hold", onError: "not-done" },
        inner: { timeoutMs: 5_000, inDoubt: "hold", ...inner } as EffectDeclaration & { inDoubt: "hold" },
      },
    });
  const declined = () => Promise.reject(new NotDoneError("declined"));

  it.each(["outer", "lenient"] as const)("to a second caller that had joined it: %s", async (name) => {
    const { effects } = await runHandler(
      nested().handler(async ({ effect }) => {
        const begun = latch();
        const gate = latch();
        const first = effect("inner", async () => {
          begun.open();
          await gate.opened;
          await declined();
        }).catch(() => {});
        await begun.opened;
        const second = effect(name, () => effect("inner", declined));
        gate.open();
        await Promise.all([first, second]);
      }),
      {},
    );
    expect(effects.find((one) => one.name === name)?.state).toBe("in-doubt");
  });

  it("where its promise was made before", async () => {
    const { effects } = await runHandler(
      nested().handler(async ({ effect }) => {
        const inner = effect("inner", declined);
        inner.catch(() => {});
        await effect("outer", () => inner);
      }),
      {},
    );
    expect(effects.map(({ name, state }) => [name, state])).toEqual([
      ["inner", "not-done"],
      ["outer", "in-doubt"],
    ]);
  });

  it("nor does its probe's", async () => {
    const job = nested({ inDoubt: "probe" });
    const { effects } = await runHandler(
      job.handler(async ({ effect }) => {
        const probe = () => Promise.reject(new SnoozeError(5));
        await effect("outer", () => effect("inner", declined, { probe } as object));
      }),
      {},
      { effects: { inner: { inDoubt: true } } },
    );
    expect(effects.find(({ name }) => name === "outer")?.state).toBe("in-doubt");
  });

  it.each([
    ["a proxy", (error: object) => new Proxy(error, {})],
    ["an object that inherits from it", (error: object) => Object.create(error)],
  ])("nor through what stands for it: %s", async (_what, standIn) => {
    const { effects } = await runHandler(
      nested().handler(async ({ effect }) => {
        await effect("outer", () =>
          effect("inner", declined).catch((error) => Promise.reject(standIn(error))),
        );
      }),
      {},
    );
    expect(effects.find(({ name }) => name === "outer")?.state).toBe("in-doubt");
  });

  it("but an effect may say a word of its own about it, and say it again", async () => {
    const word = new NotDoneError("sold out");
    for (const attempt of [1, 2]) {
      const { effects } = await runHandler(
        nested().handler(async ({ effect }) => {
          await effect("outer", async () => {
            throw word;
          });
        }),
        {},
        { attempt },
      );
      expect(effects[0]?.state).toBe("not-done");
    }
    const { effects } = await runHandler(
      nested().handler(async ({ effect }) => {
        await effect("outer", () =>
          effect("inner", declined).catch((cause) =>
            Promise.reject(new NotDoneError("not begun", { cause })),
          ),
        );
      }),
      {},
    );
    expect(effects.map(({ state }) => state)).toEqual(["not-done", "not-done"]);
  });
});

describe("what cannot be followed proves nothing", () => {
  /** Of a program whose effect then calls where nobody listens. */
  async function effectsOf(program: string, ...args: readonly string[]): Promise<unknown> {
    const path = fileURLToPath(new URL(`../../support/fixtures/${program}`, import.meta.url));
    const options = ["--conditions", "holdfast-source", "--import", "tsx"];
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { stdout } = await promisify(execFile)(process.execPath, [...options, path, url, ...args]);
    return JSON.parse(stdout);
  }

  const echo = "process.exit(0)";
  const ways: [string, () => unknown][] = [
    ["UDP", () => createSocket("udp4").unref().send("act", 9, "127.0.0.1")],
    ["a child process", () => execFile(process.execPath, ["-e", echo], () => {})],
    [
      "a message to a thread",
      () => {
        const { port1 } = new MessageChannel();
        port1.postMessage("act");
        port1.close();
      },
    ],
    ["a message to a thread", () => new Worker("", { eval: true })],
  ];

  it("but an import under a loader's hooks, which run in a thread of Node's own, does nothing elsewhere", async () => {
    expect(await effectsOf("importing-effect.ts")).toMatchObject([{ state: "not-done" }]);
  });

  it.each([[], ["unref"]])("a message to a process that was begun before the worker: %s", async (...args) => {
    expect(await effectsOf("telling-effect.ts", ...args)).toMatchObject([{ state: "in-doubt" }]);
  });

  it("but what was written to a program's standard input before the effect began was none of it", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    onTestFinished(() => void child.kill());
    // From here on, everything is watched.
    await run(async () => {});
    child.stdin.write("act");
    await expect.poll(() => child.stdin.writableLength).toBe(0);

    expect((await run(refusedFetch)).state).toBe("not-done");
    const endsMeanwhile = async () => {
      child.stdin.destroy();
      await once(child, "close");
      await refusedFetch();
    };
    expect((await run(endsMeanwhile)).state).toBe("not-done");
  });

  it("what waits for an answer on a pipe whose other end cannot be told", async () => {
    const program = 'require("node:fs").createReadStream("", { fd: 3 }).resume()';
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    onTestFinished(() => void child.kill());
    await run(async () => {});
    const pipe = (child.stdio[3] as Socket).on("error", () => {});
    pipe.write("act");
    await expect.poll(() => pipe.writableLength).toBe(0);

    expect((await run(refusedFetch)).state).toBe("in-doubt");
  });

  it.each(ways)("%s", async (way, use) => {
    const { state, because } = await run(async () => {
      use();
      await refusedFetch();
    });
    expect({ state, because }).toEqual({
      state: "in-doubt",
      because: `it used ${way}, which cannot be followed`,
    });
  });

  it.each(ways)("%s, used from outside of all effects", async (way, use) => {
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    }).then(use);
    const { state, because } = await run(async () => {
      leave();
      await left;
      await refusedFetch();
    });
    expect(state).toBe("in-doubt");
    expect(because).toContain(way);
  });
});

describe("HTTP/2", () => {
  it("is followed: an act over it is one", async () => {
    let acts = 0;
    const server = createHttp2Server((incoming, response) => {
      acts += 1;
      response.writeHead(incoming.headers["x-status"] === "404" ? 404 : 201).end("x");
    });
    const port = await listening(server);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    await once(session, "connect");
    const send = async (status: string) => {
      const stream = session.request({ ":method": "POST", ":path": "/orders", "x-status": status });
      stream.end("x");
      const [answer] = await once(stream, "response");
      stream.resume();
      const code = Number(answer[":status"]);
      if (code >= 400) throw Object.assign(new Error("refused"), { status: code });
    };
    expect(await run(() => send("404"), { classify: http })).toMatchObject({ state: "not-done" });
    const both = await run(async () => {
      await send("201");
      await refusedFetch();
    });
    expect(both.state).toBe("in-doubt");
    expect(both.warned?.sent).toEqual([
      expect.stringMatching(/^POST 127\.0\.0\.1:\d+\/orders: sent.*answered 201/),
      expect.stringMatching(/: refused$/),
    ]);
    expect(acts).toBe(2);
  });
});

/** Runs its tasks one after the other, as `p-queue` does: in the context of whoever was first. */
function openQueue() {
  let last: Promise<unknown> = Promise.resolve();
  const waiting: (() => void)[] = [];
  let isBusy = false;
  const next = () => {
    const task = waiting.shift();
    isBusy = task !== undefined;
    task?.();
  };
  return {
    add<T>(task: () => Promise<T>): Promise<T> {
      const result = new Promise<T>((resolve, reject) => {
        waiting.push(() => void task().then(resolve, reject).finally(next));
      });
      last = result;
      if (!isBusy) next();
      return result;
    },
    idle: () => last,
  };
}

describe("an answer that the effect did not see proves nothing", () => {
  it.each([404, 429])("from a queue, of %i", async (status) => {
    const gate = latch();
    const downstream = await startDownstream((response, acts) => {
      if (acts === 1) void gate.opened.then(() => response.end("first"));
      else response.writeHead(status).end("no");
    });
    const queue = openQueue();
    const first = queue.add(() => post(downstream.url));
    const { state } = await run(
      async () => {
        const mine = queue.add(() => post(downstream.url));
        gate.open();
        await mine;
      },
      { classify: http },
    );
    await first;
    expect(state).toBe("in-doubt");
  });

  it("where the queue's request was lost, and another one refused", async () => {
    const downstream = await startDownstream((response, acts) => {
      if (acts === 1) return void response.socket?.destroy();
      response.writeHead(404).end();
    });
    let send = () => {};
    const sent = new Promise<void>((resolve) => {
      send = resolve;
    }).then(() => post(downstream.url));
    sent.catch(() => {});
    const { state, because } = await run(
      async () => {
        send();
        await sent.catch(() => post(downstream.url));
      },
      { classify: http },
    );
    expect({ state, because }).toEqual({
      state: "in-doubt",
      because: "something else that was sent there meanwhile was not answered",
    });
  });

  it("where the queue's request is under way", async () => {
    const gate = latch();
    const downstream = await startDownstream((response, acts) => {
      if (acts === 1) void gate.opened.then(() => response.end());
      else response.writeHead(404).end();
    });
    let send = () => {};
    const sent = new Promise<void>((resolve) => {
      send = resolve;
    }).then(() => post(downstream.url));
    const { state, because } = await run(
      async () => {
        send();
        await expect.poll(downstream.acts).toBe(1);
        await post(downstream.url);
      },
      { classify: http },
    );
    gate.open();
    await sent;
    expect({ state, because }).toEqual({
      state: "in-doubt",
      because: "something of no running effect is under way there",
    });
  });

  it.each([
    ["a bound client's request acted", "POST", "in-doubt"],
    ["something else only read", "GET", "not-done"],
  ])("where %s and was answered", async (_what, method, expected) => {
    const downstream = await startDownstream((response, acts) =>
      response.writeHead(acts === 1 ? 201 : 404).end(),
    );
    const send = AsyncResource.bind(() => fetch(downstream.url, { method }).then(({ status }) => status));
    const { state, because, told } = await run(
      async () => {
        expect(await send()).toBe(201);
        await post(downstream.url);
      },
      { classify: http },
    );
    expect(state).toBe(expected);
    if (expected === "not-done") return;
    expect(because).toBe("something of no running effect was sent there meanwhile");
    expect(told).toBe(
      'Nobody can know whether effect "act" happened: answered 404; this proves nothing, because something of no running effect was sent there meanwhile',
    );
  });

  it("where a pool, opened by name, wrote in another context, and its server died", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        server.close();
        socket.destroy();
      });
    });
    const port = await listening(server);
    const pooled = connect(port, "localhost").on("error", () => {});
    await once(pooled, "connect");
    let write = () => {};
    const lost = new Promise<void>((resolve) => {
      write = resolve;
    }).then(async () => {
      pooled.write("INSERT INTO orders");
      await once(pooled, "close");
    });
    const { state } = await run(async () => {
      write();
      await lost;
      await once(connect(port, "127.0.0.1"), "connect");
    });
    expect(state).toBe("in-doubt");
  });
});

describe("what an effect has left behind when it failed", () => {
  it("is refused by its signal", async () => {
    const downstream = await startDownstream((response) => response.end("x"));
    const failed = latch();
    let left: Promise<unknown> = Promise.resolve();
    const { state } = await run(
      async ({ signal }) => {
        left = failed.opened.then(() => fetch(downstream.url, { method: "POST", signal }));
        await Promise.all([refusedFetch(), left]);
      },
      { classify: http },
      {},
      async () => {
        failed.open();
        await expect(left).rejects.toThrow('Effect "act" has failed, so nothing of it begins any more');
      },
    );
    expect({ state, acts: downstream.acts() }).toEqual({ state: "not-done", acts: 0 });
  });
});

describe("neighbours", () => {
  const asked = (open: (origin: string) => Dispatcher) => (url: string) => {
    const { origin } = new URL(url);
    const dispatcher = open(origin);
    onTestFinished(() => dispatcher.destroy());
    return async () => {
      const order = { origin, path: "/", method: "POST", body: "{}" } as const;
      const { statusCode, body } = await dispatcher.request(order);
      await body.text();
      if (statusCode !== 200) throw Object.assign(new Error("refused"), { statusCode });
    };
  };
  const busy = { connections: 2 };
  const composed = () =>
    new UndiciAgent(busy).compose(interceptors.redirect(), interceptors.retry(), interceptors.dns());
  const dispatched = (url: string) => {
    const dispatcher = new UndiciAgent(busy);
    onTestFinished(() => dispatcher.destroy());
    return async () => {
      const { status, ok } = await undiciFetch(url, { method: "POST", body: "{}", dispatcher });
      if (!ok) throw Object.assign(new Error("refused"), { status });
    };
  };

  it.each([
    ["fetch", (url: string) => () => post(url)],
    ["a busy pool of undici", asked((origin) => new Pool(origin, busy))],
    ["a busy agent of undici that would send again", asked(() => new RetryAgent(new UndiciAgent(busy)))],
    ["a busy agent of undici with interceptors", asked(composed)],
    ["fetch through a busy agent of undici", dispatched],
  ])(
    "that are answered do no harm: twenty jobs at a time against a provider that refuses a third of them, by %s",
    async (_how, sender) => {
      const downstream = await startDownstream((response, acts) => {
        setTimeout(() => response.writeHead(acts % 3 === 0 ? 429 : 200).end("x"), 5);
      });
      const send = sender(downstream.url);
      const ends: Awaited<ReturnType<typeof run>>[] = [];
      const worker = async () => {
        for (let times = 0; times < 6; times += 1) ends.push(await run(send, { classify: http }));
      };
      await Promise.all(Array.from({ length: 20 }, worker));
      expect(ends).toHaveLength(120);
      expect(ends.filter(({ state }) => state === "in-doubt")).toEqual([]);
      expect(ends.filter(({ state }) => state === "not-done")).toHaveLength(40);
    },
  );

  it.each([
    ["pool", (origin: string) => new Pool(origin, { connections: 1 })],
    ["agent that would send again", () => new RetryAgent(new UndiciAgent({ connections: 1 }))],
  ])("do harm where the effect's own call waits behind theirs in a busy %s", async (_what, open) => {
    const answered = latch();
    const downstream = await startDownstream(
      (response) => void answered.opened.then(() => response.end("x")),
    );
    const refusing = await startDownstream((response) => response.writeHead(404).end("x"));
    const { origin } = new URL(downstream.url);
    const dispatcher = open(origin);
    onTestFinished(() => dispatcher.destroy());
    const order = () => dispatcher.request({ origin, path: "/", method: "POST", body: "{}" });

    const neighbour = run(order, { classify: http });
    await expect.poll(downstream.acts).toBe(1);
    const { state } = await run(
      async () => {
        order().catch(() => {});
        await post(refusing.url);
      },
      { classify: http },
    );
    answered.open();
    await neighbour;
    expect(state).toBe("in-doubt");
  });
});

describe("an effect that acts by GET", () => {
  const first = async () => {
    const downstream = await startDownstream((response, acts) => {
      if (acts === 1) return void response.socket?.destroy();
      response.writeHead(404).end();
    });
    const get = async () => {
      const response = await fetch(downstream.url);
      if (!response.ok) throw new Error("refused", { cause: response });
    };
    return () => get().catch(get);
  };

  it("says so, and a first one that was lost counts", async () => {
    expect(await run(await first(), { classify: http })).toMatchObject({ state: "not-done" });
    expect(await run(await first(), { classify: http, actsBy: "GET" })).toMatchObject({ state: "in-doubt" });
  });
});

describe("a doubt that a classifier would have proved to be none", () => {
  it("says which line to add", async () => {
    const refused = await run(refusedFetch, {});
    expect(refused.warned).toMatchObject({
      advice: 'refused, nothing seen sent; "classify: http" proves that nothing happened',
    });
    const downstream = await startDownstream((response) => response.writeHead(429).end());
    const limited = await run(() => post(downstream.url), {});
    expect(limited.warned).toMatchObject({
      advice: expect.stringMatching(/^answered 429; "classify: http"/),
    });
    const odd = await run(() => Promise.reject(new Error("odd")), {});
    expect(odd.warned).not.toHaveProperty("advice");
  });
});
