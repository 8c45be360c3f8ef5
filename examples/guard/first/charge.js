import { http } from "holdfast/evidence";
import { createGuard, defineEffect } from "holdfast/guard";
import { z } from "zod";

export const charge = defineEffect({
  name: "charge",
  timeoutMs: 5_000,
  inDoubt: "hold",
  classify: http, // it is one request over HTTP: so its errors may say what they prove
  result: z.object({ id: z.string() }),
});

export const guard = await createGuard({ effects: [charge] }); // REDIS_URL, or an ioredis connection of yours
