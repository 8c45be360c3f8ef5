import { tickKey } from "../../src/roles/schedules/tick-keys.ts";
import { openOwnSubmitter } from "./own-submitter.ts";
import { type monthlyStatements, shopIn } from "./shop.ts";

/** As if a scheduler of the shop had run for a part of the past hours. @param env of the shop's service */
export async function ranBySchedule(
  env: Readonly<Record<string, string>>,
  more: readonly (typeof monthlyStatements)[] = [],
): Promise<void> {
  const shop = shopIn({ isPartnerDown: false }, more);
  const scheduler = await openOwnSubmitter(shop, env);
  try {
    for (const schedule of shop.schedules) {
      const { job, payload, timetable } = schedule;
      const ticks = timetable.latest(48, Date.now()).filter((_tick, index) => index < 19 || index > 22);
      const submit = (at: number) =>
        scheduler.submit(job, payload({ at: new Date(at) }), { idempotencyKey: tickKey(schedule, at) });
      await Promise.all(ticks.map(submit));
    }
  } finally {
    await scheduler.stop();
  }
}
