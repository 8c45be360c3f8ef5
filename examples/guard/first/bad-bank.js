// A provider on a bad day: it charges, and does not answer.
import { createServer } from "node:http";

const { port } = new URL(process.env.BANK_URL);
createServer((request) => console.log("charged:", request.headers["idempotency-key"])).listen(port);
