// A producer without HTTP: `submit.ts TYPE KEY PAYLOAD`.
import { queue, redis, submit } from "./queue.ts";

const [type, idempotencyKey, payload = "null"] = process.argv.slice(2);
console.log(JSON.stringify(await submit({ type, idempotencyKey, payload: JSON.parse(payload) })));
await queue.close();
redis.disconnect();
