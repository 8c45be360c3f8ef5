// A process, or a thread, that places the orders that it is told of, and says so.
import { parentPort } from "node:worker_threads";

const order = JSON.stringify({ name: "coffee", cents: 250 });

async function place({ protocol, host, port }) {
  await fetch(`${protocol}://${host}:${port}/orders`, { method: "POST", body: order });
  if (parentPort === null) process.send(port);
  else parentPort.postMessage(port);
}

if (parentPort === null) process.on("message", place);
else parentPort.on("message", place);
