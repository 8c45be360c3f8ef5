import { AsyncResource } from "node:async_hooks";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { Worker } from "node:worker_threads";
import { Pool } from "undici";
import { openMailSender } from "../downstream/mail-clients.ts";
import type { Way } from "./plan.ts";

/** Sends one order, and resolves when it is answered; on ways that nobody answers, when it is sent. */
export type SendOrder = (body: string) => Promise<unknown>;

const outside = AsyncResource.bind((work: () => unknown) => work()) as (work: () => unknown) => unknown;

const ignore = () => {};

/** Opens a way to a target before the effect begins. Clients that many share are busy for others. */
export const openWay: Record<Way, (port: number) => SendOrder> = {
  fetch: postTo,
  "fetch, in another context": (port) => async (body) => await outside(() => postTo(port)(body)),
  "undici pool": (port) => {
    const pool = new Pool(urlOf(port), { connections: 1 });
    pool.request({ method: "POST", path: "/", body: "" }).then(({ body }) => body.dump(), ignore);
    return (body) => pool.request({ method: "POST", path: "/", body });
  },
  "node:http agent": (port) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const post = (body: string) =>
      request(urlOf(port), { method: "POST", agent })
        .on("error", ignore)
        .on("response", (answer) => answer.resume())
        .end(body);
    post("");
    return (body) => once(post(body), "response");
  },
  "HTTP/2 session": (port) => {
    const session = connect(urlOf(port)).on("error", ignore);
    return async (body) => {
      const stream = session.request({ ":method": "POST" }).on("error", ignore);
      stream.end(body);
      return await text(stream);
    };
  },
  nodemailer: (port) => openMailSender("nodemailer", port).send,
  UDP: (port) => async (body) => {
    const socket = createSocket("udp4");
    await new Promise((resolve) => socket.send(body, port, "127.0.0.1", resolve));
    socket.close();
  },
  "child process": (port) => async (body) => {
    const args = ["--input-type=module", "-e", scriptOf(port, body)];
    return await once(spawn(process.execPath, args, { stdio: "ignore" }), "exit");
  },
  "worker thread": (port) => async (body) =>
    await once(new Worker(`(async () => { ${scriptOf(port, body)} })()`, { eval: true }), "exit"),
};

function postTo(port: number): SendOrder {
  return (body) => fetch(urlOf(port), { method: "POST", body });
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}/`;
}

function scriptOf(port: number, body: string): string {
  return `await fetch("${urlOf(port)}", { method: "POST", body: ${JSON.stringify(body)} });`;
}
