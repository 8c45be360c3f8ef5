import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { openDurableList } from "./durable-list.ts";

/** Records each effect it receives, and knows nothing else. It answers when the line is on disk. */
const list = await openDurableList(process.env.LAB_WITNESS_FILE ?? "");
const server = createServer(async (request, response) => {
  const effect: object = JSON.parse(await text(request));
  await list.append({ ...effect, at: Date.now() });
  response.end("written");
});
server.keepAliveTimeout = 60_000;
process.on("disconnect", () => process.exit(1));
process.on("SIGTERM", () => process.exit(0));
const host = process.env.LAB_WITNESS_HOST ?? "127.0.0.1";
server.listen(0, host, () => {
  const address = server.address();
  if (typeof address === "object" && address !== null)
    process.send?.({ ready: true, url: `http://${host}:${address.port}/` });
});
