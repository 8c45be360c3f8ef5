import { createServer } from "node:http";
import type { Acts } from "../servers/acts.ts";
import { listen } from "../servers/downstream.ts";

/** Is notified of each attempt before it calls its library, so that each act belongs to an attempt. */
export async function openAttemptsServer(actsOf: (row: number) => Acts | undefined) {
  const server = createServer(async (request, response) => {
    request.resume();
    await actsOf(Number(request.url?.split("/").at(-1)))?.begin();
    response.end();
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}`, stop: () => server.closeAllConnections() };
}
