import { Queue } from "bullmq";

const queue = new Queue("orders", { connection: { url: process.env.REDIS_URL } });
if (process.argv[2] === "retry") await (await queue.getJob("1")).retry();
else await queue.add("order", { cents: 500 }, { attempts: 3 });
await queue.close();
