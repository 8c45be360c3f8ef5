import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { http } from "holdfast/evidence";
import { expect, it, onTestFinished } from "vitest";
import { runEffect } from "../../support/run-effect.ts";

async function startRefusing() {
  const server = createServer((_, response) => void response.writeHead(429).end());
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it("requests that wait for a pool's first connection are of the effects that asked", async () => {
  const origin = await startRefusing();
  // Node's own undici is here first, so that the class of the other one is seen only once it is connected.
  await fetch(origin);
  const { Pool } = await import("undici");
  const pool = new Pool(origin, { connections: 2 });
  onTestFinished(() => pool.destroy());

  const post = async () => {
    const { statusCode, body } = await pool.request({ path: "/", method: "POST", body: "{}" });
    await body.dump();
    throw Object.assign(new Error("refused"), { statusCode });
  };
  const states = await Promise.all(Array.from({ length: 20 }, () => runEffect(post, { classify: http })));

  expect(states.map(({ state }) => state)).toEqual(states.map(() => "not-done"));
});
