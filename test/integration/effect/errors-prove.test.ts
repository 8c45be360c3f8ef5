import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { runInNewContext } from "node:vm";
import { defineJob, InDoubtError, NotDoneError, PermanentError, RetryAfterError } from "holdfast";
import { connection, smtp } from "holdfast/evidence";
import { runHandler } from "holdfast/testing";
import { createTransport } from "nodemailer";
import { Agent, RetryAgent, fetch as undiciFetch } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import type { EffectCall, EffectDeclaration, EffectOptions } from "../../../src/core/job/effect.ts";

/** A server that acts on each request, and then does as it is told. */
async function startDownstream(after: (response: import("node:http").ServerResponse) => void) {
  let acts = 0;
  const server = createServer((incoming, response) => {
    incoming.resume().on("end", () => {
      acts += 1;
      after(response);
    });
  });
  await listening(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, url: `http://127.0.0.1:${port}/charges?token=secret`, acts: () => acts };
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  server.close();
  return port;
}

async function run(
  act: (call: EffectCall) => Promise<unknown>,
  {
    declaration = {},
    options = {},
  }: { declaration?: Partial<EffectDeclaration>; options?: EffectOptions<unknown> } = {},
) {
  const job = defineJob({
    type: "charge",
    payload: z.object({}),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 2_000, inDoubt: "hold", ...declaration } as EffectDeclaration },
  });
  const handler = job.handler(async ({ effect }) => await effect("act", act, options));
  const ended = await runHandler(handler, {});
  const doubt = ended.logs.find(({ message }) => message === "effect in doubt");
  const sent = (doubt?.fields as { sent?: string[] } | undefined)?.sent ?? [];
  return { code: ended.error?.code, error: ended.error, effect: ended.effects[0]?.state, sent, ended };
}

describe("an error that leaves an effect", () => {
  it.each([
    ["an error of no kind", () => new Error("the card reader beeped")],
    ["a bug", () => new TypeError("undefined is not a function")],
    ["a text", () => "no"],
    ["nothing", () => undefined],
    ["an object", () => ({ code: "E_DECLINED" })],
    ["a DOMException", () => new DOMException("slow", "TimeoutError")],
    ["an error of another realm", () => runInNewContext("new RangeError('odd')")],
    ["several errors", () => new AggregateError([new Error("a"), new Error("b")])],
    [
      "a proxy",
      () =>
        new Proxy(new PermanentError("no"), {
          getPrototypeOf: () => {
            throw new Error("hostile");
          },
        }),
    ],
    ["our own word inside of another error", () => new Error("wrapped", { cause: new NotDoneError("no") })],
    ["no connection that was seen", () => Object.assign(new Error("refused"), { code: "ECONNREFUSED" })],
  ])("proves nothing: %s", async (_, thrown) => {
    const { code, effect } = await run(async () => {
      throw thrown();
    });
    expect({ code, effect }).toEqual({ code: "EFFECT_IN_DOUBT", effect: "in-doubt" });
  });

  it("is the effect's own word", async () => {
    const outcomes = await Promise.all(
      [
        new NotDoneError("declined"),
        new NotDoneError("closed", { retryAfterMs: 5_000 }),
        new NotDoneError("never", { permanent: true }),
        new PermanentError("no"),
        new RetryAfterError(7_000),
        new InDoubtError("who knows"),
      ].map((error) => run(() => Promise.reject(error))),
    );
    expect(outcomes.map(({ ended, error, effect }) => [ended.state, error?.retryAfterMs, effect])).toEqual([
      ["delayed", undefined, "not-done"],
      ["delayed", 5_000, "not-done"],
      ["failed", undefined, "not-done"],
      ["failed", undefined, "not-done"],
      ["delayed", 7_000, "not-done"],
      ["failed", undefined, "in-doubt"],
    ]);
  });

  it("is no word of an effect around the one that said it", async () => {
    const job = defineJob({
      type: "nested",
      payload: z.object({}),
      result: z.unknown(),
      retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
      timeoutMs: 10_000,
      effects: { outer: { timeoutMs: 2_000, inDoubt: "hold" }, inner: { timeoutMs: 2_000, inDoubt: "hold" } },
    });
    const ended = await runHandler(
      job.handler(async ({ effect }) => {
        await effect("outer", () => effect("inner", () => Promise.reject(new NotDoneError("declined"))));
      }),
      {},
    );
    expect(ended.effects.map(({ name, state }) => [name, state])).toEqual([
      ["outer", "in-doubt"],
      ["inner", "not-done"],
    ]);
  });

  it("reaches classifiers as it was thrown, the call's before the declaration's", async () => {
    const thrown = new DOMException("slow", "TimeoutError");
    const seen: unknown[] = [];
    const downstream = await startDownstream((response) => response.end("no"));
    const refused = async () => {
      await (await fetch(downstream.url, { method: "POST" })).text();
      throw thrown;
    };
    const { error, effect } = await run(refused, {
      declaration: {
        classify: (given) => {
          seen.push(given);
          return { verdict: "not-done", retryAfterMs: 3_000 };
        },
      },
      options: {
        classify: (given) => {
          seen.push(given);
          return undefined;
        },
      },
    });
    expect(seen).toEqual([thrown, thrown]);
    expect(seen.every((one) => one === thrown)).toBe(true);
    expect({ retryAfterMs: error?.retryAfterMs, effect }).toEqual({
      retryAfterMs: 3_000,
      effect: "not-done",
    });
  });

  it("proves nothing where the classifier fails or returns nonsense", async () => {
    const odd = [
      () => {
        throw new Error("bug");
      },
      async () => "not-done",
      () => "done",
      () => ({ verdict: "done" }),
      () => 5,
    ];
    for (const classify of odd) {
      const { effect } = await run(() => Promise.reject(new Error("x")), {
        options: { classify: classify as never },
      });
      expect(effect).toBe("in-doubt");
    }
  });

  it("means not done where the declaration says so, but for lost connections and time-outs", async () => {
    const onError = { declaration: { onError: "not-done" } } as const;
    const errors = [
      new Error("x"),
      new DOMException("slow", "TimeoutError"),
      Object.assign(new Error("wrapped"), {
        originalError: Object.assign(new Error("reset"), { code: "ECONNRESET" }),
      }),
      new AggregateError([Object.assign(new Error("reset"), { code: "EPIPE" })]),
    ];
    const outcomes = await Promise.all(errors.map((error) => run(() => Promise.reject(error), onError)));
    expect(outcomes.map(({ effect }) => effect)).toEqual(["not-done", "in-doubt", "in-doubt", "in-doubt"]);
  });
});

describe("a connection that was never made", () => {
  /** The effect is one connection. */
  const ofConnection = { declaration: { classify: connection } };
  const post = { method: "POST", body: "x" } as const;

  it.each([
    ["fetch", async (port: number) => void (await fetch(`http://127.0.0.1:${port}`, post))],
    ["fetch by name", async (port: number) => void (await fetch(`http://localhost:${port}`, post))],
    ["undici", async (port: number) => void (await undiciFetch(`http://127.0.0.1:${port}`, post))],
    ["a name that nobody has", async () => void (await fetch("http://nobody.invalid/", post))],
    [
      "node:http",
      async (port: number) => {
        const sent = request({ port, host: "127.0.0.1", method: "POST" });
        sent.end("x");
        await once(sent, "response");
      },
    ],
    [
      "a socket",
      async (port: number) => {
        const socket = connect(port, "127.0.0.1");
        socket.write("x");
        await once(socket, "data");
      },
    ],
  ])("proves that nothing was sent: %s", async (_, act) => {
    const port = await closedPort();
    const { code, effect } = await run(() => act(port), ofConnection);
    expect(await run(() => act(port))).toMatchObject({ effect: "in-doubt" });
    expect({ code, effect }).toEqual({ code: "HANDLER_FAILED", effect: "not-done" });
  });

  it("proves nothing after a request that was sent", async () => {
    const downstream = await startDownstream((response) => response.end("ok"));
    const port = await closedPort();
    const { effect, sent } = await run(async () => {
      await (await fetch(downstream.url, post)).text();
      await fetch(`http://127.0.0.1:${port}/next`, post);
    }, ofConnection);
    expect(effect).toBe("in-doubt");
    expect(sent).toEqual([
      expect.stringMatching(/^POST 127\.0\.0\.1:\d+\/charges: sent, answered 200 after/),
      expect.stringMatching(/^POST 127\.0\.0\.1:\d+\/next: refused$/),
    ]);
    expect(downstream.acts()).toBe(1);
  });

  it("proves nothing where a client had sent before, and was refused when it sent again", async () => {
    const downstream = await startDownstream((response) => {
      downstream.server.close();
      response.socket?.resetAndDestroy();
      downstream.server.closeAllConnections();
    });
    const dispatcher = new RetryAgent(new Agent(), {
      methods: ["POST"],
      maxRetries: 2,
      minTimeout: 20,
      errorCodes: ["ECONNRESET", "UND_ERR_SOCKET", "ECONNREFUSED"],
    });
    const { effect, sent } = await run(
      async () => void (await undiciFetch(downstream.url, { ...post, dispatcher })),
      ofConnection,
    );
    expect(downstream.acts()).toBe(1);
    expect(effect).toBe("in-doubt");
    expect(sent[0]).toMatch(/: sent, connection (reset|lost) after/);
    expect(sent.at(-1)).toMatch(/: refused$/);
  });

  it("proves nothing where a pool's older socket was written to", async () => {
    const received: string[] = [];
    const server = createTcpServer((socket) => {
      socket.on("data", (data) => {
        received.push(String(data));
        server.close();
        socket.resetAndDestroy();
      });
      socket.on("error", () => {});
    });
    const port = await listening(server);
    const pooled = connect(port, "127.0.0.1");
    await once(pooled, "connect");
    const { effect, sent } = await run(async () => {
      pooled.write("INSERT");
      await once(pooled, "close").catch(() => {});
      await once(connect(port, "127.0.0.1"), "connect");
    }, ofConnection);
    expect(received).toEqual(["INSERT"]);
    expect(effect).toBe("in-doubt");
    expect(sent[0]).toMatch(/^tcp 127\.0\.0\.1:\d+: sent, connection reset/);
  });

  it("proves nothing where code outside of the effect wrote to the same host meanwhile", async () => {
    const server = createTcpServer((socket) => {
      socket.on("data", () => {
        server.close();
        socket.destroy();
      });
    });
    const port = await listening(server);
    const pooled = connect(port, "127.0.0.1");
    await once(pooled, "connect");
    let writeOutside = () => {};
    const outside = new Promise<void>((resolve) => {
      writeOutside = resolve;
    }).then(async () => {
      pooled.write("INSERT");
      await once(pooled, "close");
    });
    const { effect } = await run(async () => {
      writeOutside();
      await outside;
      await once(connect(port, "127.0.0.1"), "connect");
    }, ofConnection);
    expect(effect).toBe("in-doubt");
  });

  it("proves nothing where a queue outside of the effect sent its request first", async () => {
    const downstream = await startDownstream((response) => {
      downstream.server.close();
      response.socket?.destroy();
    });
    const post = () =>
      new Promise<void>((resolve, reject) => {
        request(downstream.url, { method: "POST" }, () => resolve())
          .on("error", reject)
          .end("charge");
      });
    let sendOutside = () => {};
    const sent = new Promise<void>((resolve) => {
      sendOutside = resolve;
    }).then(post);
    const { effect } = await run(async () => {
      sendOutside();
      await sent.catch(post);
    }, ofConnection);
    expect(downstream.acts()).toBe(1);
    expect(effect).toBe("in-doubt");
  });

  it("is recognised where the client replaces the system's code, as nodemailer does", async () => {
    const port = await closedPort();
    const { effect } = await run(
      async () => {
        const mail = { from: "a@example.com", to: "b@example.com", text: "hello" };
        await createTransport({ host: "127.0.0.1", port }).sendMail(mail);
      },
      { declaration: { classify: smtp } },
    );
    expect(effect).toBe("not-done");
  });
});

describe("what an effect is seen to send", () => {
  it("is no query, no header, no token in a path, and no more than 20 requests", async () => {
    const downstream = await startDownstream((response) => response.end("ok"));
    const { sent, ended } = await run(async () => {
      const headers = { authorization: "Bearer secret" };
      await fetch(`http://user:secret@127.0.0.1:${downstream.port}/`.replace("user:secret@", ""), {
        method: "POST",
        headers,
      });
      await fetch(`http://127.0.0.1:${downstream.port}/services/T00000000/XXXXXXXXXXXXXXXXXXXXXXXX`, {
        method: "POST",
      });
      for (let times = 0; times < 30; times++) await fetch(downstream.url, { method: "POST", headers });
      throw new Error("odd");
    });
    expect(sent).toHaveLength(20);
    expect(sent.join("\n")).not.toMatch(/secret|XXXX/);
    expect(sent[1]).toContain("/services/T00000000/…:");
    const warnings = ended.logs.filter(({ message }) => message.startsWith("the client sent"));
    expect(warnings.map(({ message }) => message)).toEqual([
      'the client sent 18 requests in one call of effect "act": switch its retries off',
    ]);
  });

  it("belongs to the effect whose code sends it, though many run at once", async () => {
    const downstream = await startDownstream((response) => setTimeout(() => response.socket?.destroy(), 20));
    const port = await closedPort();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        run(
          async () =>
            void (await fetch(index % 2 === 0 ? downstream.url : `http://127.0.0.1:${port}`, {
              method: "POST",
            })),
          { declaration: { classify: connection } },
        ),
      ),
    );
    expect(outcomes.map(({ effect }) => effect)).toEqual(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "in-doubt" : "not-done")),
    );
    expect(outcomes.map(({ sent }) => sent.length)).toEqual(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 1 : 0)),
    );
  });

  it("adds no listeners to a pool's sockets", async () => {
    const server = createTcpServer((socket) => socket.on("data", (data) => void socket.write(data)));
    const port = await listening(server);
    onTestFinished(() => void server.close());
    const pooled: Socket = connect(port, "127.0.0.1");
    await once(pooled, "connect");
    for (let times = 0; times < 20; times++) {
      await run(async () => {
        pooled.write("x");
        await once(pooled, "data");
      });
    }
    expect(
      pooled
        .eventNames()
        .map((name) => pooled.listenerCount(name))
        .every((count) => count <= 2),
    ).toBe(true);
    pooled.destroy();
  });
});

describe("an answer that is cut off", () => {
  const cutOff = () =>
    startDownstream((response) => {
      response.writeHead(201, { "content-length": "100" });
      response.write('{"id":');
      setTimeout(() => response.socket?.destroy(), 10);
    });

  it("leaves a doubt, even if the client takes it for whole", async () => {
    const downstream = await cutOff();
    const { effect, error } = await run(async () => {
      const response = await fetch(downstream.url, { method: "POST" });
      return await response.text().catch(() => "");
    });
    expect(effect).toBe("in-doubt");
    expect(error?.message).toContain("the connection was lost in the middle of the answer");
  });

  it("is what the effect wanted if it stops reading itself", async () => {
    const downstream = await startDownstream((response) => {
      response.writeHead(201);
      response.write("and so on");
    });
    const ended = await run(async () => {
      const response = await fetch(downstream.url, { method: "POST" });
      await response.body?.cancel();
      const sent = request({ port: downstream.port, host: "127.0.0.1", method: "POST", agent: false }).end();
      const [answer] = await once(sent, "response");
      answer.destroy();
      await once(answer, "close");
      return response.status;
    });
    expect(ended.ended).toMatchObject({ state: "completed", result: 201 });
  });

  it("does not matter once the client has sent again, and got a whole one", async () => {
    let isFirst = true;
    const downstream = await startDownstream((response) => {
      if (!isFirst) return void response.end("whole");
      isFirst = false;
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setTimeout(() => response.socket?.destroy(), 10);
    });
    const { ended } = await run(async () => {
      await (await fetch(downstream.url, { method: "POST" })).text().catch(() => {});
      return await (await fetch(downstream.url, { method: "POST" })).text();
    });
    expect(ended).toMatchObject({ state: "completed", result: "whole" });
  });
});
